"""Recordings of machines: read from files of many kinds, prepared for training, and written."""

from vcedge.history.load import load_history
from vcedge.history.recording import NO_TIME, Recording, RowBlock
from vcedge.history.report import DataReport
from vcedge.history.rows import RowReader, open_rows
from vcedge.history.writer import CsvWriter

__all__ = ["NO_TIME", "CsvWriter", "DataReport", "Recording", "RowBlock", "RowReader", "load_history", "open_rows"]

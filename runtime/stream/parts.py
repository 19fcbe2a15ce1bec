"""The parts of one stream: what works on its record, shared by rows in Python and in the kernel."""

from __future__ import annotations

from vcedge.detector import Detector
from vcedge.limits import Calibration
from vcedge.runtime.stream.adaptive_threshold import AdaptiveThreshold
from vcedge.runtime.stream.compute_budget import ComputeBudget
from vcedge.runtime.stream.events import EventTracker
from vcedge.runtime.stream.explainer import Explainer
from vcedge.runtime.stream.inhibition import Inhibition, RunWhen
from vcedge.runtime.stream.range_watch import RangeWatch
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.sensor_health import SensorHealth
from vcedge.runtime.stream.state import StreamState
from vcedge.runtime.stream.timeline import Timeline


class StreamParts:
    """Holds the parts of one stream and their record."""

    adaptive: AdaptiveThreshold
    calibration: Calibration
    """Calibration in use; `set_threshold` replaces the detector's."""
    manual: float | None
    """Threshold set by hand."""

    def __init__(self, detector: Detector, run_when: RunWhen | None = None, *, adapt: bool = True) -> None:
        """Make the parts of a new stream with the calibrated threshold, which follows drift if `adapt`."""
        self.detector = detector
        self.names = ScoreNames(detector)
        self.record = StreamState(detector)
        self.numbers = numbers = self.record.numbers
        calibration = detector.calibration
        self.budget = ComputeBudget(calibration.target_share, self.updated(1) / max(detector.hidden, 1), numbers)
        self.timeline = Timeline(detector.schema, numbers)
        self.sensors = SensorHealth(detector, self.names, self.record)
        self.inhibition = Inhibition(run_when, numbers)
        self.range = RangeWatch(detector, self.names, self.record)
        self.events = EventTracker("anomaly", calibration.events, numbers.events[0], self.names.top)
        self.explainer = Explainer(detector, self.names, self.record)
        self._adapt = adapt
        self.set_threshold(calibration, None)

    @property
    def threshold(self) -> float:
        """Threshold of the next sample, in the unit of `raw`."""
        return self.adaptive.value if self.manual is None else self.manual

    def set_threshold(self, calibration: Calibration, manual: float | None) -> None:
        """Set the threshold by hand, or adapt that of a calibration from now on."""
        numbers = self.numbers
        self.calibration, self.manual = calibration, manual
        self.adaptive = AdaptiveThreshold(calibration, enabled=self._adapt, numbers=numbers)
        self.adaptive.start()
        numbers.manual_threshold = float("nan") if manual is None else manual
        numbers.adapts = self.adaptive.enabled and manual is None

    def updated(self, level: int) -> int:
        """Return the hidden dimensions that a level updates."""
        return 0 if level == 0 else self.detector.boundaries[level - 1]

"""The thread of a connection: reconnects, sends what waits, and notices a second client with the same id."""

from __future__ import annotations

import logging
import socket
import threading
import time

from vcedge.runtime.mqtt.client import Client
from vcedge.runtime.mqtt.outbox import Acknowledgement, Completion, InFlight, Outbox, Outgoing, SubscriptionChange
from vcedge.runtime.mqtt.reconnect import STABLE_IN_CONFLICT_S, STABLE_S, Backoff, IdConflictDetector

log = logging.getLogger("vcedge.mqtt")
POLL_S = 1.0
"""Longest sleep of the thread: it then serves keep-alive and notices `stop`."""


class NetworkThread:
    """Drives a client in a thread of its own, the only one that calls it, until `stop`."""

    def __init__(self, client: Client, client_id: str, outbox: Outbox, in_flight: InFlight) -> None:
        self._client, self._client_id = client, client_id
        self._outbox, self._in_flight = outbox, in_flight
        self._conflicts = IdConflictDetector()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._failure: BaseException | None = None
        self._asleep = False
        self._wakeup_reader: socket.socket
        self._wakeup_writer: socket.socket

    def start(self) -> None:
        """Begin to connect, and keep trying."""
        self._wakeup_reader, self._wakeup_writer = socket.socketpair()
        self._thread.start()

    @property
    def pending(self) -> int:
        """Number of items that wait to be sent or to be acknowledged by the broker."""
        return len(self._outbox) + self._in_flight.waiting

    @property
    def client_id_conflicts(self) -> int:
        """Number of connections lost to another client with the same id."""
        return self._conflicts.count

    def wake(self) -> None:
        """Wake the thread if it sleeps, so that it sends what waits."""
        if self._asleep:
            self._asleep = False
            self._wakeup_writer.send(b"!")

    def stop(self, timeout_s: float) -> None:
        """Send what waits, if there is a connection, disconnect, and end the thread."""
        self._deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._wakeup_writer.send(b"!")
        self._thread.join(timeout_s + POLL_S)
        if not self._thread.is_alive():
            self._wakeup_reader.close()
            self._wakeup_writer.close()

    def raise_failure(self) -> None:
        """Raise RuntimeError if the thread has ended by an exception."""
        if self._failure is not None:
            raise RuntimeError("the MQTT thread ended") from self._failure

    def _run(self) -> None:
        backoff = Backoff()
        try:
            while not self._stopping.is_set():
                epoch, began = self._client.epoch, time.monotonic()
                if self._client.open():
                    self._serve()
                lasted_s = time.monotonic() - began
                if self._client.epoch != epoch and not self._stopping.is_set():
                    self._detect_conflict(lasted_s)
                if lasted_s > (STABLE_IN_CONFLICT_S if self._conflicts.suspected else STABLE_S):
                    backoff.reset()
                self._stopping.wait(backoff.next_s())
        except BaseException as error:
            self._failure = error
            raise

    def _serve(self) -> None:
        """Move packets until the connection ends; unfinished items wait for the next one."""
        while self._client.is_open:
            if self._outbox.can_send(self._room):
                self._send_all()
            if self._stopping.is_set() and self._is_finished():
                self._client.close()
            self._asleep = True  # before the check of the outbox: an item that is added after it sends a wake-up
            woken = self._client.pump(self._wakeup_reader, 0.0 if self._outbox.can_send(self._room) else POLL_S)
            self._asleep = False
            if woken:
                self._wakeup_reader.recv(4096)
        self._outbox.reclaim(self._in_flight.drain())

    def _send_all(self) -> None:
        """Send what waits, as far as the broker accepts it."""
        with self._client.batch():
            while (item := self._outbox.pop(self._room)) is not None:
                self._send(item)

    @property
    def _room(self) -> int:
        """How many more publications the broker accepts now; negative without a connection."""
        return self._client.window - len(self._in_flight) if self._client.connected.is_set() else -1

    def _send(self, item: Outgoing) -> None:
        if isinstance(item, Completion):
            self._in_flight.add_completion(item)
        elif isinstance(item, Acknowledgement):
            self._client.acknowledge(item)
        elif isinstance(item, SubscriptionChange):
            self._client.change_subscription(item)
        else:
            mid = self._client.publish(item)
            if item.qos > 0:
                self._in_flight.add(item, mid)

    def _detect_conflict(self, lasted_s: float) -> None:
        if self._conflicts.connection_ended(lasted_s, taken_over=self._client.taken_over):
            verb = "uses" if self._client.taken_over else "seems to use"
            words = (
                "another client %s the id %s: each ends the other's connection; give one of them its own mqtt.client_id"
            )
            log.error(words, verb, self._client_id)
        self._client.muted = self._conflicts.suspected

    def _is_finished(self) -> bool:
        return self.pending == 0 or not self._client.connected.is_set() or time.monotonic() > self._deadline

# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Prometheus gets to see, from a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from health_monitor.core import State


class Metrics:
    """Labels are services of the project, so there are few."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connected = Gauge(
            "health_monitor_connected", "Whether the engine's events are heard.", registry=self.registry
        )
        self.events = Counter(
            "health_monitor_events", "What was heard of containers.", ["service", "action"], registry=self.registry
        )
        self.restarts = Counter(
            "health_monitor_restarts",
            "Restarts, and whether the engine did them.",
            ["service", "reason", "outcome"],
            registry=self.registry,
        )
        self._well = Gauge(
            "health_monitor_container_well",
            "1 for a container that is neither unhealthy nor dead nor paused.",
            ["service"],
            registry=self.registry,
        )
        self._given_up = Gauge(
            "health_monitor_container_given_up",
            "1 for a container that is no longer restarted, as it did not help.",
            ["service"],
            registry=self.registry,
        )

    def show(self, state: State) -> None:
        """Containers that are gone are shown no more; of several of a service, the worst counts."""
        self._well.clear()
        self._given_up.clear()
        services = {watched.service for watched in state.containers.values()}
        for service in services:
            watched = [w for w in state.containers.values() if w.service == service]
            self._well.labels(service).set(not any(w.reason for w in watched))
            self._given_up.labels(service).set(any(w.given_up for w in watched))

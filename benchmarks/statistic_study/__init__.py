"""Studies a statistic in nats and a decision rule with one default on eleven sets."""

"""What several tests share: small seeded detectors, recordings, processes."""

"""Everything of a detector that is measured rather than trained: numpy only, so it also runs on the device."""

"""The paper's claims on polyphonic music and text: models × sizes × seeds, each beside rivals of equal cost."""

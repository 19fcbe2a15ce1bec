"""Time of a step at each level, beside dense peers, in one run. Nothing else imports this."""

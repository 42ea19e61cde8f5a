"""Detection for analysts: from tables to a ranked list of suspects with a defended cut."""

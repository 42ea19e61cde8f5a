"""The known data sets: their cards, and the sources that have a form of their own."""

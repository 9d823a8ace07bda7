"""A campaign of random deploys with random faults, against what must hold after each of them; run by hand."""

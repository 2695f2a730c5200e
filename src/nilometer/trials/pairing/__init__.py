"""From what two instruments gave to pairs of results of one water."""

"""Who may speak to the control plane, and about what.

Rule 1: a caller's rights follow from its certificate or its token, never from what its message says about itself.
Rule 2: whoever reads the store learns no secret: tokens are kept as hashes, the authority's key is sealed under a key that the store does not hold.
Rule 3: policy decides, purely; every method of the contract has a rule there, and a method without one is refused.
"""

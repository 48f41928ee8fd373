"""What everything that speaks to a control plane for a person shares: the command line, `nearhop up`, and the fleet in containers.

Rule 1: the caller says where the control plane is and who it is (target.Target); nothing here looks for either.
Rule 2: what goes wrong leaves as a Failure: what, why, what to do next.
Rule 3: text that came from a node or a program is shown through show.printable, never as it is.
"""

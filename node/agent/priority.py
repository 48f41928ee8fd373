"""Sets the agent before the sandboxes: who ends a runaway must get a processor while it runs."""

import os

from nearhop import log

_NICE = -10  # nine times the weight of a process without any
_logger = log.get(__name__)


def rise() -> bool:
    """Let the calling thread, and nothing that it starts, come before other processes; False where that is not ours to say."""
    if os.getpriority(os.PRIO_PROCESS, 0) != 0:
        return False  # somebody has given the node a place of its own
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))  # sched(7)
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    except OSError as error:
        _logger.debug("the agent has no priority over sandboxes", error=str(error))
        return False
    return True

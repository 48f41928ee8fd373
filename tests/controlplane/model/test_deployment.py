from controlplane.model import Deployment, Phase, Share


def deployment(phase: Phase) -> Deployment:
    return Deployment("f", 3, (Share(2, 100),), (Share(1, 100),), phase, "", 0.0, "r", previous_generation=1)


def test_a_deployment_is_in_force_until_it_has_failed() -> None:
    for phase in (Phase.PROGRESSING, Phase.PAUSED, Phase.COMPLETE):
        assert deployment(phase).in_force() == (Share(2, 100),)
        assert deployment(phase).in_force_generation() == 3


def test_a_failed_deployment_puts_the_shares_before_it_in_force_under_their_own_generation() -> None:
    for phase in (Phase.FAILED, Phase.ROLLED_BACK):
        assert deployment(phase).in_force() == (Share(1, 100),)
        assert deployment(phase).in_force_generation() == 1
        assert deployment(phase).ended

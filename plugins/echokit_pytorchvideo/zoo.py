"""The weights that pytorchvideo publishes: where they lie, and fetching them once when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

ZOO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics"
"""As `pytorchvideo.models.hub` has it, which need not be imported for a name."""


def of_the_zoo(file: str) -> Callable[[], Mapping[str, Tensor]]:
    """What fetches a file of the model zoo, once, when it is called.

    The zoo publishes no digests, so that nothing but the connection vouches for the file; it is
    read as plain tensors, so that it cannot run code.
    """

    def fetch() -> Mapping[str, Tensor]:
        from torch.hub import load_state_dict_from_url

        url = f"{ZOO}/{file}"
        try:
            state: Mapping[str, Mapping[str, Tensor]] = load_state_dict_from_url(
                url, progress=False, map_location="cpu", weights_only=True
            )
            return state["model_state"]
        except Exception as error:
            # of an unpickling error torch advises weights_only=False, which would run code
            refused = type(error).__name__ == "UnpicklingError"
            reason = "it holds more than plain tensors" if refused else error
            raise RuntimeError(f"{url}: {reason}") from error

    return fetch

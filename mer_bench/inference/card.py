"""README.md of a model: a model card with the front matter of the Hugging Face Hub."""


def model_card(info: dict) -> str:
    """Return the card of a model.

    Args:
        info: The content of model.json.
    """
    return f'# {info["method"]}\n'

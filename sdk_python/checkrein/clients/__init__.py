"""Clients of language models, wrapped: what each call was given and answered is recorded.

    client = checkrein.wrap_openai(OpenAI())
    client = checkrein.wrap_anthropic(AsyncAnthropic())

Neither library is needed here: what has its methods is taken for its client.
"""

from checkrein.clients._prices import Price
from checkrein.clients._wrapping import wrap_anthropic, wrap_openai

__all__ = ["Price", "wrap_anthropic", "wrap_openai"]

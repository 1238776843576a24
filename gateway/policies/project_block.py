"""One block of policy.yaml, changed in the text: what people wrote around it stays as it is.

The block is a project's own in an environment: `environments.<name>.projects.<id>`. It is written
on one line, as JSON, which is YAML too. The new text is read again: were anything else different
in it, through an anchor that others share say, it is refused.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from gateway.errors import PolicyInvalid
from gateway.policies import yaml_text
from gateway.policies.source import MANIFEST

PROJECTS = "projects"


def block_of(text: str, environment: str, project_id: str) -> dict[str, Any] | None:
    """The block as it stands, None where there is none."""
    found = _parse(text)
    for step in ("environments", environment, PROJECTS, project_id):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def with_block(text: str, environment: str, project_id: str, block: dict[str, Any]) -> str:
    """The text with this block in it. Raises PolicyInvalid where it cannot be put there."""
    # Through JSON, so that what an anchor shares is apart here.
    wanted = json.loads(json.dumps(_parse(text)))
    try:
        place = wanted["environments"][environment]
        place[PROJECTS] = {**place.get(PROJECTS, {}), project_id: block}
    except (LookupError, TypeError, AttributeError):
        raise _refused(f"there is no environment `{environment}` to put it in") from None
    changed = _changed(text, environment, project_id, block)
    if _parse(changed) != wanted:
        raise _refused(
            "it cannot be changed without changing more than that (an anchor, or a form that is"
            f" not foreseen). Write it yourself: {project_id}: {_flow(block)}"
        )
    return changed


def _changed(text: str, environment: str, project_id: str, block: dict[str, Any]) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    _, environments = _member(root, "environments")
    _, entry = _member(environments, environment)
    _, projects = _member(entry, PROJECTS)
    line = f"{_word(project_id)}: {_flow(block)}"
    if projects is None:
        return _first(text, entry, f"{PROJECTS}: {{{line}}}")
    key, own = _member(projects, project_id)
    if key is None or own is None:
        return _first(text, projects, line)
    return text[: own.start_mark.index] + _flow(block) + text[_end(own) :]


def _first(text: str, mapping: Any, line: str) -> str:
    """The text with a member put before the first one of a mapping, in its style."""
    if mapping.flow_style:
        at = mapping.start_mark.index + text[mapping.start_mark.index :].index("{") + 1
        return f"{text[:at]}{line}{', ' if mapping.value else ''}{text[at:]}"
    mark = mapping.value[0][0].start_mark
    return f"{text[: mark.index]}{line}\n{' ' * mark.column}{text[mark.index :]}"


def _member(mapping: Any, name: str) -> tuple[Any, Any]:
    if isinstance(mapping, yaml.MappingNode):
        for key, value in mapping.value:
            if key.value == name:
                return key, value
    return None, None


def _end(node: yaml.Node) -> int:
    """Where a node's own text ends: a block's mark stands behind the blank lines after it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max(_end(value) for _, value in node.value)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return max(_end(value) for value in node.value)
    return int(node.end_mark.index)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_word(name)}: {_flow(item)}' for name, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, float):
        # YAML reads 1e-06 as a word.
        return f"{value:.6f}".rstrip("0") + ("0" if value == int(value) else "")
    return json.dumps(value)


def _word(name: str) -> str:
    """A key without quotes where YAML reads it as the same word."""
    plain = name.isascii() and name.isidentifier() and yaml.safe_load(name) == name
    return name if plain else json.dumps(name)


def _parse(text: str) -> Any:
    try:
        return yaml_text.parse(text).value
    except yaml_text.YamlRefused as refused:
        raise PolicyInvalid([f"{MANIFEST}:{refused.line}: {refused.text}"]) from refused


def _refused(text: str) -> PolicyInvalid:
    return PolicyInvalid([f"{MANIFEST}:1: the project's block: {text}"])

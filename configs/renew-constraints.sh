#!/bin/sh
# Renews constraints.txt: the newest versions that pyproject.toml allows, every extra included, for the
# oldest Python that is supported. torch stays at its pin unless TORCH names another version. Needs uv;
# where uv finds packages is set by its own variables (UV_DEFAULT_INDEX, UV_FIND_LINKS, ...).
set -eu
cd "$(dirname "$0")/.."

command -v uv >/dev/null 2>&1 || {
    echo "error: uv is not on PATH; install it, for example with: pip install uv" >&2
    exit 2
}
torch=${TORCH:+torch==$TORCH}
torch=${torch:-$(grep '^torch==' constraints.txt)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$torch" >"$work/torch.txt"
uv pip compile pyproject.toml --all-extras --constraint "$work/torch.txt" --python-version 3.11 \
    --upgrade --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet \
    --output-file "$work/pinned.txt"
{
    echo "# Every version of the full resolve, extras included. Renew with: make constraints"
    cat "$work/pinned.txt"
} >"$work/constraints.txt"
mv "$work/constraints.txt" constraints.txt
echo "constraints.txt: $(grep -c == constraints.txt) packages, $torch"

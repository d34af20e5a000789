"""Code blocks: their text exactly, their language, nothing of what a highlighter puts around them."""

from __future__ import annotations

import html as escaping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.pages import article

LINES = ["def f(x):", "    return x * 2", "", "print(f(1))"]
CODE = "\n".join(LINES)
FENCED = f"```python\n{CODE}\n```"


def numbered(row: str, joint: str = "") -> str:
    return joint.join(row.format(n=number, line=line) for number, line in enumerate(LINES, 1))


NUMBERS = "\n".join(map(str, range(1, 5)))
HIGHLIGHTED = {
    "prism": f"<pre class='language-python'><code class='language-python'>{CODE}</code></pre>",
    "github": f"<div class='highlight highlight-source-python notranslate'><pre>{CODE}</pre></div>",
    "pygments": f"<div class='highlight-python'><div class=highlight>"
    f"<pre><span></span>{CODE}\n</pre></div></div>",
    "pygments table": f"<table class=highlighttable><tr><td class=linenos>"
    f"<div class=linenodiv><pre>{NUMBERS}</pre></div></td>"
    f"<td class=code><div class='highlight language-python'><pre>{CODE}</pre></div></td></tr></table>",
    "chroma": "<div class=highlight><pre class=chroma><code class=language-python data-lang=python>"
    + numbered("<span class=line><span class=ln>{n}</span><span class=cl>{line}\n</span></span>")
    + "</code></pre></div>",
    "chroma table": "<div class=chroma><table class=lntable><tr><td class=lntd><pre class=chroma><code>"
    + numbered("<span class=lnt>{n}\n</span>")
    + f"</code></pre></td><td class=lntd><pre class=chroma><code "
    f"class=language-python>{CODE}</code></pre></td></tr></table></div>",
    "rouge": f"<div class='language-python highlighter-rouge'><table class=rouge-table>"
    f"<tr><td class='rouge-gutter gl'><pre>{NUMBERS}</pre></td>"
    f"<td class=rouge-code><pre>{CODE}</pre></td></tr></table></div>",
    "hexo": f"<figure class='highlight python'><table><tr><td class=gutter>"
    f"<pre>{numbered('<span class=line>{n}</span><br>')}</pre></td>"
    f"<td class=code><pre>{numbered('<span class=line>{line}</span><br>')}</pre>"
    f"</td></tr></table></figure>",
    "react": "<pre><code class='language-python'>"
    + numbered("<span class='react-syntax-highlighter-line-number'>{n}</span><span>{line}</span>\n")
    + "</code></pre>",
    "shiki": "<pre class=shiki data-language=python><code>"
    + numbered("<span class=line>{line}</span>", "\n")
    + "</code></pre>",
    "rehype": "<pre data-language=python><code style='display:grid'>"
    + numbered("<span data-line=''>{line}</span>", "\n")
    + "<button>Copy</button></code></pre>",
    "prism rows": f"<pre class='line-numbers language-python'><code>{CODE}<span "
    f"class='line-numbers-rows'><span></span></span></code></pre>",
    "docusaurus": "<div class='language-python codeBlockContainer_x'><pre><code>"
    + numbered("<span class='token-line' style='color:#000'><span>{line}</span><br></span>")
    + "</code></pre><div class=buttonGroup_x><button>Copy</button></div></div>",
    "codemirror": "<div class='cm-editor'><div class=cm-gutters>1234</div>"
    "<div class='cm-content' data-language=python>"
    + numbered("<div class=cm-line>{line}</div>")
    + "</div></div>",
    "expressive": "<figure class=frame><pre data-language=python><code>"
    + numbered(
        "<div class=ec-line><div class=gutter><div class=ln>{n}</div></div><div class=code>{line}</div></div>"
    )
    + "</code></pre></figure>",
    "flex rows": "<pre class=language-python>"
    + numbered("<div class=flex><span class=text-end>{n}</span><div>{line}</div></div>")
    + "</pre>",
    "label": f"<div class=frame><div class=head><span>python</span><button>Copy "
    f"code</button></div><pre><code>{CODE}</code></pre></div>",
}


@pytest.mark.parametrize("name", HIGHLIGHTED)
def test_a_highlighters_block_is_its_code(name: str) -> None:
    assert article(HIGHLIGHTED[name]) == FENCED


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<pre>plain\n  text</pre>", "```\nplain\n  text\n```"),
        ("<pre><code>a ``` b\n```\n</code></pre>", "````\na ``` b\n```\n````"),
        (
            "<pre># no heading\n- no item\n*no* [link](x)</pre>",
            "```\n# no heading\n- no item\n*no* [link](x)\n```",
        ),
        ("<pre><code>x = <a href='/doc'>call</a>(1)</code></pre>", "```\nx = call(1)\n```"),
        ("<pre class=language-text>a</pre>", "```\na\n```"),
        ("<pre class='brush: js'>a</pre>", "```js\na\n```"),
        ("<pre>\n\n</pre><p>b</p>", "b"),
        ("<p>a</p><code style='white-space: pre'>x\n y</code>", "a\n\n```\nx\n y\n```"),
        ("<ul><li>do:<pre>x\ny</pre></li></ul>", "- do:\n\n\t```\n\tx\n\ty\n\t```"),
    ],
)
def test_code_blocks(html: str, markdown: str) -> None:
    assert article(html) == markdown


@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" \t"), max_size=30
        ),
        min_size=1,
        max_size=8,
    )
)
def test_code_is_kept_exactly(lines: list[str]) -> None:
    text = "\n".join(line.rstrip() for line in ["begin", *lines, "end"])
    found = article(f"<pre><code class=language-python>{escaping.escape(text)}</code></pre>")
    fence = found.partition("python")[0]
    assert set(fence) == {"`"}
    assert found == f"{fence}python\n{text}\n{fence}"

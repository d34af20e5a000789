"""Train the tiny reader: a small llama that turns the pages of `pages` into markdown by copying.

    python -m benchmarks.reader.train FOLDER

It exists so that the way of a page through the engine can be tried with a model that really copies, where
the reader models' licence or size forbids theirs. Pages begin short: attention heads that find where the
last words stood before (induction heads, Olsson et al. 2022) form early there, and pages may grow after.
One core needs about a quarter of an hour. The same Python and PyTorch train the same weights.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

import lxml.html
import torch
from rich.console import Console
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.reader.pages import make_page, word
from ingest.convert.reader_lm.clean import clean_page
from ingest.convert.reader_lm.pieces import cut

VOCABULARY = 768
BEGIN, TURN, END = "<|page|>", "<|markdown|>", "<|end|>"
NAMES = ("html", "body", "head", "title", "h1", "h2", "h3", "p", "ul", "li", "b", "code", "pre", "a")
WHOLE = (
    *(f"<{slash}{name}>" for name in NAMES for slash in ("", "/")),
    *('<a href="', '">', "<pre><code>", "</code></pre>"),
    *("# ", "## ", "### ", "- ", "**", "`", "```", "[", "](", "\n", "\n\n"),
)
"""Tags and signs of markdown that are one token each."""
TEMPLATE = (
    f"{{% for message in messages %}}{BEGIN}{{{{ message.content }}}}{{% endfor %}}"
    f"{{% if add_generation_prompt %}}{TURN}{{% endif %}}"
)
PHASES = ((0.2, 1, 6, 2048), (0.45, 3, 8, 3072), (1.0, 7, 10, 4096))
"""Until which share of all steps; then the most blocks of a page, words of a block, tokens of a batch."""
RATE = 3e-3
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reader.train", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tokenizer = make_tokenizer()
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            tie_word_embeddings=True,
            initializer_range=0.05,
            bos_token_id=tokenizer.token_to_id(BEGIN),
            eos_token_id=tokenizer.token_to_id(END),
            **SHAPE,
        )
    )
    train(model, tokenizer, random.Random(args.seed), args.steps)
    save(model, tokenizer, args.folder)
    return 0


def make_tokenizer() -> Tokenizer:
    """Byte pairs of random words; tags and signs of markdown stay whole."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    rng = random.Random(0)
    text = [" ".join(word(rng) for _ in range(20)) for _ in range(3000)]
    special = (BEGIN, TURN, END)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(WHOLE) - len(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.add_special_tokens(list(special))
    tokenizer.add_tokens([AddedToken(sign, normalized=False) for sign in WHOLE])
    return tokenizer


def train(model: Any, tokenizer: Tokenizer, rng: random.Random, steps: int) -> None:
    """Only what stands after the page is learned."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    # Muon (Jordan et al., 2024) finds induction in a quarter of the steps that Adam needs here.
    optimizers = (
        torch.optim.Muon(matrices, momentum=0.95, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0),
    )
    console, began = Console(stderr=True), time.monotonic()
    right = seen = 0
    for step in range(steps):
        done = step / steps
        _, blocks, words, tokens = next(phase for phase in PHASES if done < phase[0])
        ids, labels = make_batch(tokenizer, rng, blocks=blocks, words=words, tokens=tokens)
        rate = RATE * min(1.0, (step + 1) / 20) * min(1.0, 0.02 + (1 - done) / 0.4)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        wanted = labels[:, 1:]
        hidden = model.model(ids).last_hidden_state[:, :-1]
        logits = model.lm_head(hidden[wanted >= 0])
        cross_entropy(logits, wanted[wanted >= 0]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        right += int((logits.argmax(-1) == wanted[wanted >= 0]).sum())
        seen += len(logits)
        if (step + 1) % 100 == 0:
            took = time.monotonic() - began
            console.print(f"{step + 1} of {steps} steps, {took:.0f} s: {right / seen:.2%} of tokens right")
            right = seen = 0


def make_batch(
    tokenizer: Tokenizer, rng: random.Random, *, blocks: int, words: int, tokens: int
) -> tuple[Tensor, Tensor]:
    """As many pages as fit into so many tokens, padded; labels are -100 but for the markdown."""
    rows: list[tuple[list[int], list[int]]] = []
    longest = 0
    while True:
        row = make_example(tokenizer, rng, blocks=blocks, words=words)
        size = max(longest, sum(map(len, row)))
        if rows and (len(rows) + 1) * size > tokens:
            break
        rows.append(row)
        longest = size
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for index, (prompt, output) in enumerate(rows):
        end = len(prompt) + len(output)
        ids[index, :end] = torch.tensor(prompt + output)
        labels[index, len(prompt) : end] = torch.tensor(output)
    return ids, labels


def make_example(
    tokenizer: Tokenizer, rng: random.Random, *, blocks: int, words: int
) -> tuple[list[int], list[int]]:
    """A page as the converter asks for it, and the answer."""
    page = make_page(rng, blocks=rng.randint(1, blocks), words=rng.randint(2, words))
    clean = clean_page(lxml.html.document_fromstring(page.html))
    (html,) = cut(clean, sys.maxsize, lambda texts: [0] * len(texts))
    asked = tokenizer.encode(f"{BEGIN}{html}{TURN}", add_special_tokens=False).ids
    answer = tokenizer.encode(f"{page.markdown.strip()}{END}", add_special_tokens=False).ids
    return asked, answer


def save(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """As a folder that transformers and the engine load, in half precision."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[BEGIN, TURN],
        model_max_length=SHAPE["max_position_embeddings"],
    )
    wrapped.chat_template = TEMPLATE
    wrapped.save_pretrained(folder)
    model.half().save_pretrained(folder)


if __name__ == "__main__":
    sys.exit(main())

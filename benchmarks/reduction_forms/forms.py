"""The forms of a reduction over K terms that are compared: every one is fixed, whatever the vector width."""

from __future__ import annotations

from dataclasses import dataclass

UNIT = 2.0**-24


@dataclass(frozen=True)
class Form:
    """chunk: consecutive terms per partial sum; chains: interleaved partial sums; neither: one chain from the bias."""

    key: str
    words: str
    chunk: int | None = None
    chains: int | None = None

    @property
    def split(self) -> bool:
        """Whether there are partial sums."""
        return bool(self.chunk or self.chains)

    def parts(self, K: int) -> list[tuple[int, int, int]]:
        """Each partial sum as (first, stop, step) over k, in the order they are added to the bias; none: one chain."""
        if self.chunk:
            return [(k, min(k + self.chunk, K), 1) for k in range(0, K, self.chunk)]
        if self.chains:
            return [(k, K, self.chains) for k in range(min(self.chains, K))]
        return []

    def roundings(self, K: int) -> int:
        """The most roundings a term passes: the bound of the error is gamma_n sum |w x|, gamma_n = n u / (1 - n u)."""
        parts = self.parts(K)
        if not parts:
            return K
        return max(len(range(*part)) + len(parts) - i for i, part in enumerate(parts))


CHAIN = Form("a", "one chain from the bias")
CHUNK16 = Form("b", "chunks of 16", chunk=16)
CHUNK8 = Form("c", "chunks of 8", chunk=8)
CHAINS4 = Form("d", "4 interleaved chains", chains=4)
FORMS = (CHAIN, CHUNK16, CHUNK8, CHAINS4)


def gamma(n: int) -> float:
    """n u / (1 - n u) of float32."""
    return n * UNIT / (1.0 - n * UNIT)

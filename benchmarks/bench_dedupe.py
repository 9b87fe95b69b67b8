"""Duplicates at scale: seconds, memory, and works found, on made-up records of which two in five are copies."""

import random
import resource
import subprocess
import sys
import time

from metagrove.review.duplicates.clusters import find_duplicates
from metagrove.review.records.reading import Record

SYLLABLES = [consonant + vowel for consonant in "bcdfglmnprst" for vowel in "aeiou"]


def made_up_records(n, seed=3):
    """`n` records and the work of each: titles misspelt, in capitals, DOIs missing as exports have them."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(2, 5))) for _ in range(4000)]
    names = ["".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))).title() for _ in range(3000)]
    journals = [" ".join(rng.choices(words, k=3)).title() for _ in range(800)]
    records, works = [], []
    while len(records) < n:
        work = works[-1] + 1 if works else 0
        title = " ".join(rng.choices(words, k=rng.randint(6, 14))).capitalize()
        authors = tuple(f"{rng.choice(names)}, {rng.choice('ABCDEFG')}" for _ in range(rng.randint(1, 8)))
        year, volume, page = rng.randint(1990, 2024), str(rng.randint(1, 90)), rng.randint(1, 2000)
        journal, doi = rng.choice(journals), f"10.5555/{work}" if rng.random() < 0.7 else ""
        for copy in range(min(rng.choice([1, 1, 1, 2, 2, 3]), n - len(records))):
            written = title.upper() if copy and rng.random() < 0.3 else title
            if copy and rng.random() < 0.2:
                cut = rng.randrange(len(written))
                written = written[:cut] + written[cut + 1 :]
            number = len(records) + 1
            records.append(
                Record(
                    f"f:{number}", "f", number, 1, title=written, authors=authors, year=year, journal=journal, volume=volume,
                    issue="1", first_page=str(page), last_page=str(page + 8), doi=doi if rng.random() < 0.8 else "",
                )
            )  # fmt: skip
            works.append(work)
    return records, works


SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


def measured(n):
    """One line: records, works, works found, questions, seconds, and the peak memory with the records themselves."""
    records, works = made_up_records(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    found = find_duplicates(records)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clusters, questions = len(set(found.cluster_of)), len(found.questions)
    return f"{n:>9} {len(set(works)):>9} {clusters:>9} {questions:>9} {seconds:>8.1f} {1e6 * seconds / n:>10.0f} {before:>10.0f} {peak:>8.0f}"


def main(sizes=SIZES):
    heads = ("records", "works", "found", "questions", "seconds", "us/record", "records MB", "peak MB")
    print("{:>9} {:>9} {:>9} {:>9} {:>8} {:>10} {:>10} {:>8}".format(*heads))
    for n in sizes:
        # Each size in a process of its own, so that the peak is its own.
        done = subprocess.run([sys.executable, __file__, str(n)], check=True, capture_output=True, text=True)
        print(done.stdout.rstrip(), flush=True)


if __name__ == "__main__":
    for size in sys.argv[1:]:
        print(measured(int(size)))

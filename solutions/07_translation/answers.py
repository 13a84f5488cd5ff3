"""Known answers to the first half of lesson 07: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the words
after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
"""


# %% wrong learn_bpe: words count once
# reads: words must count as often
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += 1
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: ties: the first seen
# reads: smallest tuple
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = max(pairs, key=pairs.get)
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: ties: the largest
# reads: smallest tuple
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: ties: the shortest piece first
# reads: learn_bpe({
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], len("".join(pair)), pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: ties: by the joined text
# reads: learn_bpe({
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], "".join(pair)))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: the rarest pair
# reads: take the commonest
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: a pair counts once a word
# reads: counts twice
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in set(pairwise(parts)):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: overlapping pairs count once
# reads: counts twice
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            at = 0
            while at < len(parts) - 1:
                pairs[parts[at], parts[at + 1]] += word_counts[word]
                at += 2 if len(set(parts[at : at + 3])) == 1 else 1
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: stops at pairs seen once
# reads: seen only once
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs or max(pairs.values()) < 2:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: an end mark
# reads: no end mark
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: [*word, "</w>"] for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: counts only once
# reads: count anew
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    pairs = Counter()
    for _ in range(1):
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
    for _ in range(min(n_merges, len(pairs))):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        del pairs[best]
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: joins one place a word
# reads: learn_bpe({
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                    break
                at += 1
    return merges


# %% wrong learn_bpe: joins from right to left
# reads: learn_bpe({
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            for at in range(len(parts) - 2, -1, -1):
                if tuple(parts[at : at + 2]) == best:
                    parts[at : at + 2] = ["".join(best)]
    return merges


# %% wrong learn_bpe: joins the texts, not tuples
# reads: a merge is a tuple
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append("".join(best))
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: pairs are lists
# reads: tuple
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(list(best))
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: one merge too many
# reads: learn_bpe({
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges + 1):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: no end when no pair is left
# reads: empty
def learn_bpe(word_counts, n_merges):
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges


# %% wrong learn_bpe: the counts are changed
# reads: word_counts after
def learn_bpe(word_counts, n_merges):
    for word in list(word_counts):
        word_counts[tuple(word)] = word_counts.pop(word)
    merges = []
    for _ in range(n_merges):
        pairs = Counter()
        for parts, count in word_counts.items():
            for pair in pairwise(parts):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in list(word_counts):
            new, at = [], 0
            while at < len(parts):
                hit = parts[at : at + 2] == best
                new.append("".join(best) if hit else parts[at])
                at += 2 if hit else 1
            word_counts[tuple(new)] = word_counts.pop(parts)
    return merges


# %% wrong learn_bpe: text replaced across pieces
# reads: learn_bpe({
def learn_bpe(word_counts, n_merges):
    texts = {" ".join(word): count for word, count in word_counts.items()}
    merges = []
    for _ in range(n_merges):
        pairs = Counter()
        for text, count in texts.items():
            for pair in pairwise(text.split()):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        texts = {text.replace(" ".join(best), "".join(best)): count for text, count in texts.items()}
    return merges


# %% wrong learn_bpe: the course does it
# reads: off limits
def learn_bpe(word_counts, n_merges):
    from byhand.translation import pieces

    return pieces.learn(word_counts, n_merges)


# %% right learn_bpe: words as tuples, new ones each time
def learn_bpe(word_counts, n_merges):
    words, merges = [(tuple(word), count) for word, count in word_counts.items()], []
    while len(merges) < n_merges:
        pairs = {}
        for parts, count in words:
            for at in range(len(parts) - 1):
                pairs[parts[at : at + 2]] = pairs.get(parts[at : at + 2], 0) + count
        if not pairs:
            return merges
        most = max(pairs.values())
        best = sorted(pair for pair, count in pairs.items() if count == most)[0]
        merges.append(best)
        words = [(joined(parts, best), count) for parts, count in words]
    return merges


def joined(parts, pair):
    if len(parts) < 2:
        return parts
    if parts[:2] == pair:
        return (pair[0] + pair[1], *joined(parts[2:], pair))
    return (parts[0], *joined(parts[1:], pair))


# %% right learn_bpe: applies all merges anew
def learn_bpe(word_counts, n_merges):
    def pieces_of(word):
        parts = list(word)
        for left, right in merges:
            new, used = [], False
            for part in parts:
                if new and new[-1] == left and part == right and not used:
                    new[-1] += part
                    used = True
                else:
                    new.append(part)
                    used = False
            parts = new
        return parts

    merges = []
    for _ in range(n_merges):
        pairs = Counter()
        for word, count in word_counts.items():
            parts = pieces_of(word)
            pairs.update({pair: 0 for pair in zip(parts, parts[1:])})
            for pair in zip(parts, parts[1:]):
                pairs[pair] += count
        if not pairs:
            break
        merges.append(max(sorted(pairs), key=lambda pair: pairs[pair]))
    return merges


# %% right learn_bpe: sorted by count and pair
def learn_bpe(word_counts, n_merges):
    words = [[list(word), count] for word, count in word_counts.items()]
    merges = []
    for _ in range(n_merges):
        seen = [(pair, count) for parts, count in words for pair in zip(parts[:-1], parts[1:])]
        if not seen:
            break
        totals = Counter()
        for pair, count in seen:
            totals.update({pair: count})
        (left, right), _ = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[0]
        merges.append((left, right))
        for entry in words:
            old, new = entry[0][::-1], []
            while old:
                part = old.pop()
                if part == left and old and old[-1] == right:
                    part += old.pop()
                new.append(part)
            entry[0] = new
    return merges


# %% right learn_bpe: only words that hold the pair
def learn_bpe(word_counts, n_merges):
    pieces, totals = {word: list(word) for word in word_counts}, Counter()

    def note(word, sign):
        for pair in pairwise(pieces[word]):
            totals[pair] += sign * word_counts[word]

    for word in pieces:
        note(word, 1)
    merges = []
    while len(merges) < n_merges and any(totals.values()):
        best = min((pair for pair in totals if totals[pair]), key=lambda pair: (-totals[pair], pair))
        merges.append(best)
        for word in [word for word in pieces if best in pairwise(pieces[word])]:
            note(word, -1)
            old, new = pieces[word], []
            while old:
                size = 2 if tuple(old[:2]) == best else 1
                new.append("".join(old[:size]))
                old = old[size:]
            pieces[word] = new
            note(word, 1)
    return merges


# %% wrong learn_bpe: pieces are read as a regular expression
# reads: learn_bpe({'c++': 2
def learn_bpe(word_counts, n_merges):
    import re

    spelt, merges = {" ".join(w): c for w, c in word_counts.items()}, []
    for _ in range(n_merges):
        pairs = Counter()
        for text, c in spelt.items():
            for q in pairwise(text.split(" ")):
                pairs[q] += c
        if not pairs:
            break
        best = min(pairs, key=lambda q: (-pairs[q], q))
        merges.append(best)
        find = re.compile(r"(?<!\S)" + " ".join(best) + r"(?!\S)")
        spelt = {find.sub("".join(best), text): c for text, c in spelt.items()}
    return merges


# %% right learn_bpe: one text a word, pieces escaped
def learn_bpe(word_counts, n_merges):
    import re

    sep = "\x00"
    spelt = {word: sep + sep.join(word) + sep for word in word_counts}
    merges = []
    for _ in range(n_merges):
        pairs = Counter()
        for word, text in spelt.items():
            pieces = text.strip(sep).split(sep)
            for left, right in zip(pieces, pieces[1:]):
                pairs[left, right] += word_counts[word]
        if not pairs:
            break
        top = max(pairs.values())
        best = min(pair for pair, count in pairs.items() if count == top)
        merges.append(best)
        find = re.compile(f"(?<={sep}){re.escape(best[0])}{sep}{re.escape(best[1])}(?={sep})")
        spelt = {word: find.sub(lambda _: best[0] + best[1], text) for word, text in spelt.items()}
    return merges


# %% wrong apply_bpe: the last merge first
# reads: not taken in the list's order
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in reversed(merges):
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
            at += 1
    return tuple(pieces)


# %% wrong apply_bpe: one place a merge
# reads: only the first place
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
                break
            at += 1
    return tuple(pieces)


# %% wrong apply_bpe: from right to left
# reads: from left to right
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in merges:
        for at in range(len(pieces) - 2, -1, -1):
            if pieces[at : at + 2] == [left, right]:
                pieces[at : at + 2] = [left + right]
    return tuple(pieces)


# %% wrong apply_bpe: a piece is used twice
# reads: step over it
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in merges:
        new, at = [], 0
        while at < len(pieces):
            if pieces[at : at + 2] == [left, right]:
                new.append(left + right)
                at += 1 if pieces[at + 1 : at + 3] == [left, right] else 2
            else:
                new.append(pieces[at])
                at += 1
        pieces = new
    return tuple(pieces)


# %% wrong apply_bpe: a list
# reads: tuple
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
            at += 1
    return pieces


# %% wrong apply_bpe: the new piece is joined again
# reads: nothing but its two pieces
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            while pieces[at : at + 1] and pieces[at][-len(left) :] == left and pieces[at + 1 : at + 2] == [right]:
                pieces[at : at + 2] = [pieces[at] + right]
            at += 1
    return tuple(pieces)


# %% wrong apply_bpe: until nothing changes
# reads: turn once
def apply_bpe(word, merges):
    pieces, before = list(word), None
    while pieces != before:
        before = list(pieces)
        for left, right in merges:
            at = 0
            while at < len(pieces) - 1:
                if (pieces[at], pieces[at + 1]) == (left, right):
                    pieces[at : at + 2] = [left + right]
                at += 1
    return tuple(pieces)


# %% wrong apply_bpe: the earliest merge that fits, again and again
# reads: turn once
def apply_bpe(word, merges):
    ranks, pieces = {pair: rank for rank, pair in enumerate(merges)}, list(word)
    while len(pieces) > 1:
        left, right = min(pairwise(pieces), key=lambda pair: ranks.get(pair, len(merges)))
        if (left, right) not in ranks:
            break
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
            at += 1
    return tuple(pieces)


# %% wrong apply_bpe: the longest piece first
# reads: not taken in the list's order
def apply_bpe(word, merges):
    known, pieces = {left + right for left, right in merges}, []
    while word:
        size = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
        pieces.append(word[:size])
        word = word[size:]
    return tuple(pieces)


# %% wrong apply_bpe: unknown characters are dropped
# reads: apply_bpe('
def apply_bpe(word, merges):
    known = {character for pair in merges for piece in pair for character in piece}
    pieces = [character for character in word if character in known]
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
            at += 1
    return tuple(pieces)


# %% wrong apply_bpe: text replaced across pieces
# reads: compare whole pieces
def apply_bpe(word, merges):
    text = " ".join(word)
    for left, right in merges:
        text = text.replace(f"{left} {right}", left + right)
    return tuple(text.split())


# %% wrong apply_bpe: the empty word is one piece
# reads: apply_bpe('', 
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
            at += 1
    return tuple(pieces) or ("",)


# %% wrong apply_bpe: uses up the merges
# reads: merges after
def apply_bpe(word, merges):
    pieces = list(word)
    while merges:
        left, right = merges.pop(0)
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
            at += 1
    return tuple(pieces)


# %% wrong apply_bpe: nothing joined
# reads: nothing was joined
def apply_bpe(word, merges):
    pieces = list(word)
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == left + right:
                pieces[at : at + 2] = [left + right]
            at += 1
    return tuple(pieces)


# %% wrong apply_bpe: the course does it
# reads: off limits
def apply_bpe(word, merges):
    from byhand.translation.pieces import Merger

    return Merger(merges).apply(word)


# %% right apply_bpe: a new list for each merge
def apply_bpe(word, merges):
    pieces = list(word)
    for pair in merges:
        new = []
        queue = iter(pieces)
        held = next(queue, None)
        while held is not None:
            following = next(queue, None)
            if (held, following) == pair:
                new.append(held + following)
                held = next(queue, None)
            else:
                new.append(held)
                held = following
        pieces = new
    return tuple(pieces)


# %% right apply_bpe: recursion
def apply_bpe(word, merges):
    def join(parts, pair):
        for at in range(len(parts) - 1):
            if parts[at : at + 2] == tuple(pair):
                return (*parts[:at], "".join(pair), *join(parts[at + 2 :], pair))
        return parts

    parts = tuple(word)
    for pair in merges:
        parts = join(parts, pair)
    return parts


# %% right apply_bpe: reduce
from functools import reduce


def apply_bpe(word, merges):
    def joined(parts, pair):
        new = []
        for part in parts:
            if new and isinstance(new[-1], str) and (new[-1], part) == tuple(pair):
                new[-1] = (new[-1] + part,)  # boxed: joined already in this turn
            else:
                new.append(part)
        return [part if isinstance(part, str) else part[0] for part in new]

    return tuple(reduce(joined, merges, list(word)))


# %% right apply_bpe: regular expressions with edges
import re


def apply_bpe(word, merges):
    text = "\n".join(word)
    for left, right in merges:
        text = re.sub(f"(?m)^{re.escape(left)}\n{re.escape(right)}$", lambda hit: hit[0].replace("\n", ""), text)
    return tuple(text.split("\n")) if word else ()


# %% wrong apply_bpe: a merge that is listed twice has one turn
# reads: Each merge has its turn once
def apply_bpe(word, merges):
    pieces = list(word)
    for a, b in dict.fromkeys(merges):
        i = 0
        while i < len(pieces) - 1:
            if pieces[i] == a and pieces[i + 1] == b:
                pieces[i : i + 2] = [a + b]
            i += 1
    return tuple(pieces)


# %% wrong apply_bpe: two pieces that spell the same
# reads: Each merge has its turn once
def apply_bpe(word, merges):
    pieces = list(word)
    for a, b in merges:
        i = 0
        while i < len(pieces) - 1:
            if pieces[i] + pieces[i + 1] == a + b:
                pieces[i : i + 2] = [a + b]
            i += 1
    return tuple(pieces)


# %% wrong DecoderBlock: no residual around self-attention
# reads: self-attention replaced the stream
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: no residual around cross-attention
# reads: cross-attention replaced the stream
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: no residual around feed-forward
# reads: feed-forward branch replaced the stream
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: self-attention is lost
# reads: self-attention was left out
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: cross-attention is lost
# reads: cross-attention was left out
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: post-norm
# reads: post-norm
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.norm1(x + self.dropout(self.self_attention(x, mask=self_mask)[0]))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, mask=memory_mask)[0]))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% wrong DecoderBlock: memory normalised, too
# reads: memory was normalised
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), self.norm2(memory), mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: keys are memory, values the stream
# reads: keys and values are memory
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, self.norm2(x), mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: memory asks, the stream answers
# reads: keys and values are memory
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(memory, self.norm2(x), mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: self_mask not passed on
# reads: self_mask (4, 4)
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x))[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: memory_mask not passed on
# reads: memory_mask
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: memory_mask turned round
# reads: memory_mask
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=None if memory_mask is None else ~memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: a causal mask of its own
# reads: no mask of its own
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        if self_mask is None:
            self_mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: cross-attention comes first
# reads: differ
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: cross-attention reads the stream as it is
# reads: differ
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(x, memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: branches side by side
# reads: differ
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        start = x
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(start), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(start)))


# %% wrong DecoderBlock: one attention for both
# reads: numbers to train
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = self.self_attention
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: one norm for all
# reads: numbers to train
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = self.norm1
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = self.norm1
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: other names
# reads: there is no
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.attention1 = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.attention2 = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.attention1(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.attention2(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: dropout on the stream
# reads: never on the stream
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return self.dropout(x + self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: no dropout after cross-attention
# reads: never on the stream
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0]
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: dropout in eval mode, too
# reads: differ
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = lambda y: functional.dropout(y, dropout or 0.1)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: ReLU
# reads: differ
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.feed_forward.gelu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: memory detached
# reads: no gradient arrives at memory
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory.detach(), mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: weights come along
# reads: tuple
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x))), None


# %% wrong DecoderBlock: torch's own layer
# reads: off limits
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        options = {"norm_first": True, "activation": "gelu", "batch_first": True}
        self.layer = nn.TransformerDecoderLayer(d_model, n_heads, d_hidden, dropout, **options)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return self.layer(x, memory, self_mask, memory_mask)


# %% right DecoderBlock: a loop over three branches
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        for number in (1, 2, 3):
            setattr(self, f"norm{number}", nn.LayerNorm(d_model))
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.drops = nn.ModuleList(nn.Dropout(dropout) for _ in range(3))

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        branches = (
            lambda y: self.self_attention(y, y, y, self_mask)[0],
            lambda y: self.cross_attention(y, memory, memory, memory_mask)[0],
            self.feed_forward,
        )
        for norm, drop, branch in zip((self.norm1, self.norm2, self.norm3), self.drops, branches):
            x = x + drop(branch(norm(x)))
        return x


# %% right DecoderBlock: attention written here, with torch inside
class Attention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        assert d_model % n_heads == 0, f"{d_model} / {n_heads}"
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def forward(self, x, keys, mask):
        q, k, v = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.q_proj(x), self.k_proj(keys), self.v_proj(keys))
        )
        scores = torch.einsum("bhtd,bhsd->bhts", q, k) * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e30)
        weights = scores.softmax(dim=-1)
        if mask is not None:
            weights = weights * mask
        return self.out_proj((weights @ v).transpose(1, 2).flatten(2))


class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.self_attention, self.cross_attention = Attention(d_model, n_heads), Attention(d_model, n_heads)
        self.feed_forward = nn.ModuleDict({"up": nn.Linear(d_model, d_hidden), "down": nn.Linear(d_hidden, d_model)})
        self.rate = dropout

    def drop(self, x):
        return functional.dropout(x, self.rate, self.training)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        y = self.norm1(x)
        x = x + self.drop(self.self_attention(y, y, self_mask))
        x = x + self.drop(self.cross_attention(self.norm2(x), memory, memory_mask))
        hidden = self.drop(functional.gelu(self.feed_forward["up"](self.norm3(x))))
        return x + self.drop(self.feed_forward["down"](hidden))


# %% right DecoderBlock: a step for a branch
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = blocks.MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = blocks.MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def step(self, x, added):
        return x.add(self.dropout(added))

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        query = self.norm1(x)
        own, _ = self.self_attention(query, query, query, mask=self_mask)
        x = self.step(x, own)
        read, _ = self.cross_attention(self.norm2(x), memory, memory, mask=memory_mask)
        x = self.step(x, read)
        return self.step(x, self.feed_forward(self.norm3(x)))


# %% right DecoderBlock: the encoder block begins it
class DecoderBlock(nn.Module):

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = EncoderBlock(d_model, n_heads, d_hidden, dropout).feed_forward
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))


# %% wrong DecoderBlock: feed-forward without its own dropout
# reads: give FeedForward the dropout, too
class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        x = x + self.dropout(self.feed_forward(self.norm3(x)))
        return x


# %% wrong Transformer: no √E
# reads: not multiplied by √E
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: positions times √E
# reads: positions were multiplied
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout((self.embedding(tokens) + self.positions[start:end]) * math.sqrt(self.d_model))

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: start is not used
# reads: begin at `start`
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[: tokens.shape[1]])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: no positions
# reads: positions are missing
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model))

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: learned positions
# reads: numbers to train
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.positions = nn.Parameter(torch.randn(max_len, d_model) / 10)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: a table of its own for the output
# reads: One table
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, vocab_size, bias=False)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return self.head(self.decoder_norm(x))

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: a table of its own for Chinese
# reads: One table
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.target_embedding = nn.Embedding(vocab_size, d_model)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: encoder_norm not used
# reads: encoder_norm
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return x

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: decoder_norm not used
# reads: decoder_norm
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(x, self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: padding is read
# reads: no piece may attend to it
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), torch.ones_like(src, dtype=torch.bool)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: padding is always 0
# reads: padding
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != 0)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: src_mask not used
# reads: no piece may attend to it
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal)
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: src_mask guessed from memory
# reads: no piece may attend to it
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        src_mask = memory.abs().sum(dim=-1) > 0
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: no causal mask
# reads: what comes later must not be seen
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, None, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: causal mask the wrong way
# reads: what comes later must not be seen
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).triu()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: a piece does not see itself
# reads: decode(tgt, memory, src_mask)
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril(-1)
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: softmax at the end
# reads: no softmax
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight).softmax(dim=-1)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: logits divided by √E
# reads: logits are scaled
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight) / math.sqrt(self.d_model)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: the table starts at N(0, 1)
# reads: blind guess
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: too long passes
# reads: must raise
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + blocks.sinusoidal_encoding(end, self.d_model)[start:].to(self.embedding.weight.dtype))

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: start is not counted in the length
# reads: max_len=6
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if tokens.shape[1] > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: the last position is refused
# reads: ValueError
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end >= self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: one block n times over
# reads: numbers to train
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList([EncoderBlock(*sizes)] * n_layers)
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: blocks without dropout
# reads: all blocks need it
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, 0.0
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: embedding not dropped
# reads: should be
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return (self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: no dropout unless told
# reads: should be
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: forward shifts
# reads: has shape (2, 2, 10)
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt[:, :-1], self.encode(src), src != self.pad_id)


# %% wrong Transformer: only the last position
# reads: has shape (2, 10)
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x[:, -1]), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: memory detached
# reads: gradient of
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src).detach(), src != self.pad_id)


# %% wrong Transformer: output table detached
# reads: gradient of embedding.weight
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight.detach())

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: decoder blocks read the memory of each layer
# reads: decode(tgt, memory, src_mask)
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, self.encoder_norm(memory), causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: other names
# reads: there is no
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.norm1 = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.norm2 = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.norm1(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.norm2(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: post-norm encoder
# reads: encode(src)
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes, norm_first=False) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: torch's own
# reads: off limits
class Transformer(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.pad_id, self.embedding = pad_id, nn.Embedding(vocab_size, d_model)
        self.model = nn.Transformer(d_model, n_heads, n_layers, n_layers, d_hidden, dropout, batch_first=True)

    def forward(self, src, tgt):
        return self.model(self.embedding(src), self.embedding(tgt)) @ self.embedding.weight.T


# %% wrong Transformer: positions are a plain tensor
# reads: positions stay on the CPU
class Transformer(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=2.2 * d_model**-0.75)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)
        self.positions = blocks.sinusoidal_encoding(max_len, d_model)

    def embed(self, tokens, start=0):
        stop = start + tokens.shape[1]
        if stop > self.max_len:
            raise ValueError(f"positions up to {stop}, but max_len is {self.max_len}")
        x = self.embedding(tokens) * math.sqrt(self.d_model)
        return self.dropout(x + self.positions[start:stop])

    def encode(self, src):
        mask = (src != self.pad_id)[:, None, None, :]
        x = self.embed(src)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        causal = blocks.causal_mask(tgt.shape[1], tgt.shape[1]).to(tgt.device)
        x = self.embed(tgt)
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% right Transformer: a tied linear layer
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, vocab_size, bias=False)
        self.head.weight = self.embedding.weight

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return self.head(self.decoder_norm(x))

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% right Transformer: blocks' decoder, positions when asked, einsum
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(blocks.DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        places = blocks.sinusoidal_encoding(end, self.d_model)[start:].to(self.embedding.weight)
        return self.dropout(self.embedding(tokens) * self.d_model**0.5 + places)

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return torch.einsum("bte,ve->btv", self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% right Transformer: sine and cosine by hand, one loop for both sides
class Transformer(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.head_free, self.pad_id, self.max_len = True, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        with torch.no_grad():
            self.embedding.weight.normal_(0, d_model**-0.5)
        place = torch.arange(max_len, dtype=torch.float32)[:, None]
        speed = torch.exp(-math.log(10000.0) * torch.arange(0, d_model, 2) / d_model)
        table = torch.zeros(max_len, d_model)
        table[:, 0::2] = torch.sin(place * speed)
        table[:, 1::2] = torch.cos(place * speed)[:, : d_model // 2]
        self.register_buffer("table", table)
        self.drop = nn.Dropout(dropout)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for _ in range(n_layers):
            self.encoder.append(EncoderBlock(d_model, n_heads, d_hidden, dropout=dropout))
            self.decoder.append(DecoderBlock(d_model, n_heads, d_hidden, dropout=dropout))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        n = tokens.size(1)
        if start + n > self.max_len:
            raise ValueError(f"start {start} + {n} tokens > max_len {self.max_len}")
        x = self.embedding(tokens) * self.embedding.embedding_dim**0.5
        return self.drop(x + self.table.narrow(0, start, n))

    def encode(self, src):
        x = self.embed(src)
        for block in self.encoder:
            x = block(x, mask=src.ne(self.pad_id).view(len(src), 1, 1, -1))
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, may = self.embed(tgt), blocks.causal_mask(tgt.shape[1], tgt.shape[1]).to(tgt.device)
        for block in self.decoder:
            x = block(x, memory, self_mask=may[None, None], memory_mask=src_mask.unsqueeze(1).unsqueeze(1))
        return self.decoder_norm(x) @ self.embedding.weight.T

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src.ne(self.pad_id))


# %% right Transformer: scores masked by position
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.arange(n)[:, None] >= torch.arange(n)[None, :]
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% right Transformer: positions as a frozen parameter, the block of blocks
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.positions = nn.Parameter(blocks.sinusoidal_encoding(max_len, d_model), requires_grad=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong Transformer: the table is frozen
# reads: numbers to train
class Transformer(nn.Module):

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.3 / math.sqrt(d_model))
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.embedding.weight.requires_grad_(False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens, start=0):
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])

    def encode(self, src):
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)

    def decode(self, tgt, memory, src_mask):
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src != self.pad_id)


# %% wrong label_smoothed_loss: padding dilutes
# reads: divide by the 2 real ones
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.numel()


# %% wrong label_smoothed_loss: padding is a target
# reads: padding was treated as a target
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -each.mean()


# %% wrong label_smoothed_loss: padding pays the smoothed part
# reads: leave it out of both
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -((1 - smoothing) * right * real + smoothing * logs.mean(dim=-1)).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: nothing smoothed
# reads: nothing was smoothed
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = right
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: ε / (V - 1) for the others
# reads: ε / (V - 1)
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * (logs.sum(dim=-1) - right) / (logs.shape[-1] - 1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: the right piece keeps 1
# reads: it has 1 - ε
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: ε and 1 - ε exchanged
# reads: are exchanged
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = smoothing * right + (1 - smoothing) * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: padding's id gets no share
# reads: the padding's id too
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * (logs.sum(dim=-1) - logs[..., pad_id]) / (logs.shape[-1] - 1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: the sum
# reads: this is the sum
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum()


# %% wrong label_smoothed_loss: sum over V
# reads: take the mean over V
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.sum(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: no minus
# reads: minus sign
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: logarithm to base 2
# reads: base 2
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1) / math.log(2)


# %% wrong label_smoothed_loss: no check of shapes
# reads: must raise
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: an error without numbers
# reads: does not say enough
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError("targets do not fit logits")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: nothing but padding is 0 / 0
# reads: All is padding
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum()


# %% wrong label_smoothed_loss: nothing but padding: a constant
# reads: no gradient
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    if not real.any():
        return torch.tensor(0.0, dtype=logits.dtype)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: softmax, then log
# reads: differ
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.softmax(dim=-1).log(), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: an eps inside the log
# reads: differ
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = (logits.softmax(dim=-1) + 1e-9).log(), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: padding is always 0
# reads: pad_id=2
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != 0
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: another default
# reads: unless told otherwise
def label_smoothed_loss(logits, targets, smoothing=0.0, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: a mean for each sentence
# reads: differ
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    loss = -torch.where(real, each, 0.0)
    loss = loss.reshape(-1, loss.shape[-1]).sum(dim=-1) / real.reshape(-1, real.shape[-1]).sum(dim=-1).clamp(min=1)
    return loss.mean()


# %% wrong label_smoothed_loss: only two axes
# reads: too many values
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    n_rows, n_pieces = logits.shape
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: a float
# reads: torch.Tensor
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -(torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)).item()


# %% wrong label_smoothed_loss: the library does it
# reads: off limits
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    flat = logits.flatten(0, -2), targets.flatten()
    total = functional.cross_entropy(*flat, ignore_index=pad_id, label_smoothing=smoothing, reduction="sum")
    return total / (targets != pad_id).sum().clamp(min=1)


# %% right label_smoothed_loss: a distribution of targets
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits of shape {tuple(logits.shape)}, targets of shape {tuple(targets.shape)}")
    size = logits.shape[-1]
    wanted = torch.full_like(logits, smoothing / size)
    wanted.scatter_add_(-1, targets[..., None], torch.full_like(logits[..., :1], 1 - smoothing))
    wanted = wanted * (targets != pad_id)[..., None]
    return -(wanted * functional.log_softmax(logits, dim=-1)).sum() / max(1, int((targets != pad_id).sum()))


# %% right label_smoothed_loss: real rows only, logsumexp
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits of shape {tuple(logits.shape)}, targets of shape {tuple(targets.shape)}")
    keep = targets != pad_id
    rows, ids = logits[keep], targets[keep]  # (N, V), (N,)
    if len(ids) == 0:
        return 0.0 * logits.sum()
    total = rows.logsumexp(dim=-1)
    nll = total - rows[torch.arange(len(ids)), ids]
    return ((1 - smoothing) * nll + smoothing * (total - rows.mean(dim=-1))).mean()


# %% right label_smoothed_loss: row by row
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits of shape {tuple(logits.shape)}, targets of shape {tuple(targets.shape)}")
    total, count = 0.0 * logits.sum(), 0
    for row, target in zip(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1).tolist()):
        if target == pad_id:
            continue
        centred = row - row.max()
        logs = centred - centred.exp().sum().log()
        total = total - (1 - smoothing) * logs[target] - smoothing * logs.sum() / len(logs)
        count += 1
    return total / max(count, 1)


# %% right label_smoothed_loss: one-hot
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits of shape {tuple(logits.shape)}, targets of shape {tuple(targets.shape)}")
    hot = functional.one_hot(targets, logits.shape[-1]).to(logits.dtype)
    soft = hot * (1 - smoothing) + smoothing / logits.shape[-1]
    losses = torch.einsum("...v,...v->...", soft, -logits.log_softmax(-1))
    return losses.masked_fill(targets == pad_id, 0).sum() / (targets != pad_id).sum().clamp(min=1)


# %% right label_smoothed_loss: one-hot, its shares in float32
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)}, logits {tuple(logits.shape)}")
    V = logits.shape[-1]
    real = targets != pad_id
    shares = functional.one_hot(targets, V) * (1 - smoothing) + smoothing / V
    return -(shares * torch.log_softmax(logits, -1)).sum(-1)[real].sum() / max(1, int(real.sum()))


# %% wrong label_smoothed_loss: view joins axes of a transposed batch
# reads: whose axes reshape joins and view cannot
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if logits.shape[:-1] != targets.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} do not fit")
    logits, targets = logits.view(-1, logits.shape[-1]), targets.view(-1)
    logp = functional.log_softmax(logits, dim=-1)
    real = targets != pad_id
    safe = targets.where(real, torch.zeros_like(targets))
    right = logp.gather(-1, safe[..., None])[..., 0]
    each = (1 - smoothing) * right + smoothing * logp.mean(dim=-1)
    return -(each * real).sum() / real.sum().clamp(min=1)


# %% wrong label_smoothed_loss: the maximum subtracted in place
# reads: changes its input in place
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if logits.shape[:-1] != targets.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} do not fit")
    logits = logits.detach().sub_(logits.detach().amax(-1, keepdim=True)) * 0 + logits
    logp = functional.log_softmax(logits, dim=-1)
    real = targets != pad_id
    safe = targets.where(real, torch.zeros_like(targets))
    right = logp.gather(-1, safe[..., None])[..., 0]
    each = (1 - smoothing) * right + smoothing * logp.mean(dim=-1)
    return -(each * real).sum() / real.sum().clamp(min=1)


# %% wrong warmup_rate: no √d_model
# reads: 1 / √d_model is missing
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return min(step**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: times √d_model
# reads: do not multiply
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**0.5 * min(step**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: divided by d_model
# reads: not by d_model
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-1 * min(step**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: the larger branch
# reads: not the larger
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * max(step**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: stays at the peak
# reads: the rate falls
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * min(warmup_steps**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: steps from 0
# reads: do not add one
def warmup_rate(step, d_model, warmup_steps):
    step += 1
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: no warm-up
# reads: no warm-up
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * step**-0.5


# %% wrong warmup_rate: warm-up with w ** -0.5
# reads: differ
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-0.5)


# %% wrong warmup_rate: warm-up as n / w
# reads: not n / w
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * min(step**-0.5, step / warmup_steps)


# %% wrong warmup_rate: falls in a line
# reads: differ
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * min(max(0.0, 2 - step / warmup_steps) * warmup_steps**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: falls as 1 / n
# reads: differ
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return d_model**-0.5 * min(warmup_steps**0.5 / step, step * warmup_steps**-1.5)


# %% wrong warmup_rate: step 0 stops
# reads: ZeroDivisionError
def warmup_rate(step, d_model, warmup_steps):
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: step 0 counts as 1
# reads: warmup_rate(0
def warmup_rate(step, d_model, warmup_steps):
    step = max(step, 1)
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


# %% wrong warmup_rate: a tensor
# reads: plain float
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return torch.tensor(d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5), dtype=torch.float64)


# %% wrong warmup_rate: rounded
# reads: differ
def warmup_rate(step, d_model, warmup_steps):
    if step == 0:
        return 0.0
    return round(d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5), 6)


# %% right warmup_rate: two branches
def warmup_rate(step, d_model, warmup_steps):
    if step <= 0:
        return 0.0
    peak = 1 / math.sqrt(d_model * warmup_steps)
    return peak * step / warmup_steps if step < warmup_steps else peak * math.sqrt(warmup_steps / step)


# %% right warmup_rate: one line
def warmup_rate(step, d_model, warmup_steps):
    return min(max(step, 1) ** -0.5, step / warmup_steps**1.5) / d_model**0.5


# %% right warmup_rate: powers by math
def warmup_rate(step, d_model, warmup_steps):
    climbing = step * math.pow(warmup_steps, -1.5)
    falling = math.inf if step == 0 else math.pow(step, -0.5)
    return float(min(climbing, falling) * math.pow(d_model, -0.5))


# %% right warmup_rate: by logarithms
def warmup_rate(step, d_model, warmup_steps):
    if not step:
        return 0.0
    logarithm = min(-math.log(step) / 2, math.log(step) - 1.5 * math.log(warmup_steps))
    return math.exp(logarithm - math.log(d_model) / 2)

# %% wrong translate_greedy: bos in the result
# reads: bos_id belongs to no result
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written.tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: eos in the result
# reads: eos_id is not part of the result
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id) + 1] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: nothing is cut
# reads: nothing was cut
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return rows

# %% wrong translate_greedy: eos removed, the rest kept
# reads: a row goes on after its first eos_id
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [[one for one in row if one != eos_id] for row in rows]

# %% wrong translate_greedy: bos counted in max_len
# reads: one step is missing
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len - 1):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: one step too many
# reads: one step too many
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len + 1):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: stops with the first row that ends
# reads: all rows stopped with the first that ended
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.any():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: stops when all rows end at the same step
# reads: stop when every row has ended
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ids == eos_id
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: never stops early
# reads: stop when every row has ended
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: encodes again each step
# reads: expected once
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, model.encode(src), src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: reads the first position
# reads: read the last position
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, 0].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: feeds back only the last id
# reads: feed back all ids written so far
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written[:, -1:], memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: padding is not hidden
# reads: True at real tokens
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), torch.ones_like(src, dtype=torch.bool)
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: the mask is turned round
# reads: src_mask is src != model.pad_id
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src == model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: records a graph
# reads: gradients are recorded
def translate_greedy(model, src, bos_id, eos_id, max_len):
    if True:
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: pad, bos and eos of the course assumed
# reads: model.pad_id is
def translate_greedy(model, src, bos_id, eos_id, max_len):
    bos_id, eos_id = 1, 2
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: leaves the model in train mode
# reads: model.training afterwards
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    model.train()
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]

# %% wrong translate_greedy: bos and pad taken out everywhere
# reads: model.pad_id is
def translate_greedy(model, src, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    rows = [row[: row.index(eos_id)] if eos_id in row else row for row in rows]
    return [[one for one in row if one not in (bos_id, model.pad_id)] for row in rows]

# %% right translate_greedy: one row after the other
def translate_greedy(model, src, bos_id, eos_id, max_len):
    answers = []
    with torch.inference_mode():
        memory = model.encode(src)
        for row in range(src.shape[0]):
            one = slice(row, row + 1)
            ids = []
            while len(ids) < max_len and eos_id not in ids:
                written = torch.tensor([[bos_id] + ids])
                logits = model.decode(written, memory[one], src_mask=src[one].ne(model.pad_id))
                ids.append(int(logits[0, -1].argmax()))
            answers.append([i for i in ids if i != eos_id])
    return answers

# %% right translate_greedy: rows that have ended leave the batch
@torch.no_grad()
def translate_greedy(model, src, bos_id, eos_id, max_len):
    memory, mask = model.encode(src), ~src.eq(model.pad_id)
    going = torch.arange(len(src))
    results = [[] for _ in range(len(src))]
    tgt = torch.full((len(src), 1), bos_id, dtype=torch.long)
    for _ in range(max_len):
        logits = model.decode(tgt, memory, mask)[:, -1, :]
        best = logits.topk(1, dim=-1).indices  # (N, 1)
        keep = best[:, 0] != eos_id
        for row, token in zip(going[keep].tolist(), best[keep, 0].tolist()):
            results[row].append(token)
        tgt, memory, mask = torch.cat([tgt, best], dim=1)[keep], memory[keep], mask[keep]
        going = going[keep]
        if going.numel() == 0:
            return results
    return results

# %% right translate_greedy: finished rows are filled up with padding
def translate_greedy(model, src, bos_id, eos_id, max_len):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(src)
        out = torch.full((src.size(0), max_len + 1), model.pad_id, dtype=torch.long)
        out[:, 0] = bos_id
        done = torch.zeros(src.size(0), dtype=torch.bool)
        lengths = [0] * src.size(0)
        for t in range(max_len):
            next_ids = model.decode(out[:, : t + 1], memory, src != model.pad_id)[:, t].argmax(-1)
            for b, token in enumerate(next_ids.tolist()):
                if done[b]:
                    continue
                out[b, t + 1] = token
                if token == eos_id:
                    done[b] = True
                else:
                    lengths[b] += 1
            if bool(done.all()):
                break
    model.train(was)
    return [out[b, 1 : n + 1].tolist() for b, n in enumerate(lengths)]

# %% right translate_greedy: by recursion, from sorted logits
def translate_greedy(model, src, bos_id, eos_id, max_len):
    def more(rows, left):
        if left == 0 or all(eos_id in row[1:] for row in rows):
            return rows
        logits = model.decode(torch.tensor(rows), memory, mask)[:, -1]
        best = logits.sort(dim=-1, descending=True).indices[:, 0].tolist()
        return more([row + [token] for row, token in zip(rows, best)], left - 1)

    with torch.no_grad():
        memory, mask = model.encode(src), src != model.pad_id
        rows = more([[bos_id]] * len(src), max_len)
    cut = []
    for _, *row in rows:
        cut.append(row[: (row + [eos_id]).index(eos_id)])
    return cut


# %% wrong beam_search: greedy whatever the beam
# reads: this is greedy decoding
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers, beam = [], 1
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: eos not counted in the length
# reads: eos_id counts
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / max(1, len(ids) - (ids[-1] == eos_id)) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: bos counted in the length
# reads: bos_id does not count
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / (len(ids) + 1) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: score not normalised
# reads: this is the sum
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: score times the penalty
# reads: length_penalty is an exponent
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / (len(ids) * length_penalty), ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: the best sum, not the best score
# reads: highest score
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            total, ids = kept[0]
            score = total / len(ids) ** length_penalty
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: normalised while searching
# reads: sums alone say what is kept
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, key=lambda one: one[0] / len(one[1]) ** length_penalty, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: finished ones drop out
# reads: finished ones stay
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = []
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: finished ones take no room
# reads: finished ones stay
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            done, finished, going = [], [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[: beam + sum(ids[-1] == eos_id for _, ids in finished)]
                going = [one for one in kept if one[1][-1] != eos_id][:beam]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: stops with the first that is finished
# reads: stopped with the first
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if finished:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: finished ones are extended
# reads: is never extended
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going, finished = kept, []
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: eos in the result
# reads: eos_id is not part of the result
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids, score))
    return answers

# %% wrong beam_search: probabilities instead of their logarithms
# reads: log-probabilities
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: logits added
# reads: log-probabilities
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: fails with fewer candidates than the beam
# reads: IndexError
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = [sorted(finished, reverse=True)[n] for n in range(beam)]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: rows share one beam's memory
# reads: a memory of its own
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[:1].expand(len(going), -1, -1), src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: padding is not hidden
# reads: True at real tokens
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), torch.ones_like(src, dtype=torch.bool)
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: one step too few
# reads: max_len
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len - 1):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: encodes at each step
# reads: once is enough
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                memory = model.encode(src)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: records a graph
# reads: gradients are recorded
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    if True:
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: another length penalty
# reads: this is another penalty
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / ((5 + len(ids)) / 6) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% wrong beam_search: never stops early
# reads: stop when every row has ended
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                if not going:
                    model.decode(src[:, :1], memory, src_mask)
                    continue
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    model.decode(src[:, :1], memory, src_mask)
                    going = []
                    continue
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers

# %% right beam_search: all rows and hypotheses in one batch
@torch.no_grad()
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    B = src.shape[0]
    memory = model.encode(src).repeat_interleave(beam, dim=0)
    mask = (src != model.pad_id).repeat_interleave(beam, dim=0)
    ids = torch.full((B * beam, 1), bos_id)
    sums = torch.full((B, beam), float("-inf"), dtype=torch.float64)
    sums[:, 0] = 0.0
    done = torch.zeros(B, beam, dtype=torch.bool)
    lengths = torch.zeros(B, beam, dtype=torch.long)
    for _ in range(max_len):
        if bool((done | sums.isinf()).all()):
            break
        gains = model.decode(ids, memory, mask)[:, -1].double().log_softmax(-1)
        V = gains.shape[-1]
        stay = torch.full((V,), float("-inf"), dtype=torch.float64)
        stay[eos_id] = 0.0
        gains = torch.where(done.view(-1, 1), stay, gains)
        total = (sums.view(-1, 1) + gains).view(B, beam * V)
        sums, at = total.topk(beam, dim=1)
        parent, token = at // V, at % V
        flat = (parent + beam * torch.arange(B)[:, None]).flatten()
        was = done.gather(1, parent)
        lengths = lengths.gather(1, parent) + (~was).long()
        ids = torch.cat([ids[flat], token.view(-1, 1)], dim=1)
        done = was | (token == eos_id)
    scores = sums / lengths.double().clamp(min=1) ** length_penalty
    best = scores.argmax(dim=1)
    out = []
    for b in range(B):
        k = int(best[b])
        row = ids[b * beam + k, 1 : 1 + int(lengths[b, k])].tolist()
        out.append((row[:-1] if row and row[-1] == eos_id else row, float(scores[b, k])))
    return out

# %% right beam_search: one hypothesis at a time
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    def finished(ids):
        return len(ids) > 1 and ids[-1] == eos_id

    def search(memory, mask):
        kept = [([bos_id], 0.0)]
        for _ in range(max_len):
            if all(finished(ids) for ids, _ in kept):
                break
            pool = []
            for ids, total in kept:
                if finished(ids):
                    pool.append((ids, total))
                    continue
                logits = model.decode(torch.tensor([ids]), memory, mask)[0, -1]
                logp = logits - torch.logsumexp(logits, dim=0)
                for token in range(logp.shape[0]):
                    pool.append((ids + [token], total + float(logp[token])))
            pool.sort(key=lambda pair: -pair[1])
            kept = pool[:beam]
        best = max(kept, key=lambda pair: pair[1] / (len(pair[0]) - 1) ** length_penalty)
        ids = best[0][1:]
        return [i for i in ids if i != eos_id], best[1] / len(ids) ** length_penalty

    with torch.no_grad():
        memory, mask = model.encode(src), src != model.pad_id
        return [search(memory[b : b + 1], mask[b : b + 1]) for b in range(len(src))]

# %% right beam_search: each row encoded alone, without its padding
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    def score(entry):
        ids, total = entry
        return total / len(ids) ** length_penalty

    out = []
    with torch.no_grad():
        for row in src:
            alone = row[row != model.pad_id].unsqueeze(0)
            memory, mask = model.encode(alone), torch.ones_like(alone, dtype=torch.bool)
            live, done = [([], 0.0)], []
            for _ in range(max_len):
                tgt = torch.tensor([[bos_id] + ids for ids, _ in live])
                many = tgt.shape[0]
                logits = model.decode(tgt, memory.repeat(many, 1, 1), mask.repeat(many, 1))
                sums = torch.tensor([[total] for _, total in live]) + logits[:, -1].log_softmax(-1)
                pool = list(done)
                for which, token in torch.cartesian_prod(*map(torch.arange, sums.shape)).tolist():
                    pool.append((live[which][0] + [token], sums[which, token].item()))
                pool.sort(key=lambda entry: entry[1])
                pool = pool[-beam:]
                live = [entry for entry in pool if entry[0][-1] != eos_id]
                done = [entry for entry in pool if entry[0][-1] == eos_id]
                if len(live) == 0:
                    break
            best = max(live + done, key=score)
            out.append(([i for i in best[0] if i != eos_id], score(best)))
    return out

# %% right beam_search: only the best extensions of each
import heapq


def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    results = []
    with torch.inference_mode():
        memory, real = model.encode(src), src != model.pad_id
        for b in range(src.size(0)):
            kept, step = [(0.0, (), False)], 0
            while step < max_len and not all(over for *_, over in kept):
                open_ = [one for one in kept if not one[2]]
                tgt = torch.tensor([[bos_id, *ids] for _, ids, _ in open_])
                n = len(open_)
                logits = model.decode(tgt, memory[b].expand(n, -1, -1), real[b].expand(n, -1))[:, -1]
                few = min(beam, logits.shape[-1])
                values, tokens = functional.log_softmax(logits, -1).topk(few, dim=-1)
                pool = [one for one in kept if one[2]]
                for (total, ids, _), gains, more in zip(open_, values.tolist(), tokens.tolist()):
                    for gain, token in zip(gains, more):
                        pool.append((total + gain, ids + (token,), token == eos_id))
                kept = heapq.nlargest(beam, pool)
                step += 1
            scores = [total / len(ids) ** length_penalty for total, ids, _ in kept]
            best = scores.index(max(scores))
            _, ids, over = kept[best]
            results.append((list(ids[:-1] if over else ids), scores[best]))
    return results

# %% right beam_search: a small class for a hypothesis
class Hypothesis:
    def __init__(self, ids, total):
        self.ids, self.total = ids, total

    def score(self, penalty):
        return self.total / max(1, len(self.ids)) ** penalty


def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, mask = model.encode(src), torch.ne(src, model.pad_id)
        every = [[Hypothesis([], 0.0)] for _ in src]
        for _ in range(max_len):
            asked = [(b, h) for b, kept in enumerate(every) for h in kept if h.ids[-1:] != [eos_id]]
            if not asked:
                break
            rows = torch.tensor([b for b, _ in asked])
            ids = torch.tensor([[bos_id] + h.ids for _, h in asked])
            logp = torch.log(torch.softmax(model.decode(ids, memory[rows], mask[rows])[:, -1], dim=-1))
            grown = [[h for h in kept if h.ids[-1:] == [eos_id]] for kept in every]
            for (b, h), row in zip(asked, logp):
                grown[b] += [Hypothesis(h.ids + [t], h.total + v) for t, v in enumerate(row.tolist())]
            every = [sorted(some, key=lambda h: h.total, reverse=True)[:beam] for some in grown]
    best = [max(kept, key=lambda h: h.score(length_penalty)) for kept in every]
    return [([t for t in h.ids if t != eos_id], h.score(length_penalty)) for h in best]


# %% wrong beam_search: eval mode stays set
# reads: As it was before.
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    model.eval()
    with torch.no_grad():
        memories, mask, answers = model.encode(src), src != model.pad_id, []
        for row in range(len(src)):
            kept = [(0.0, [bos_id])]
            for _ in range(max_len):
                finished = [one for one in kept if one[1][-1] == eos_id and len(one[1]) > 1]
                going = [one for one in kept if not (one[1][-1] == eos_id and len(one[1]) > 1)]
                if not going:
                    break
                written = torch.tensor([ids for _, ids in going], device=src.device)
                n = len(going)
                logits = model.decode(written, memories[row].expand(n, -1, -1), mask[row].expand(n, -1))[
                    :, -1
                ]
                table = logits.log_softmax(dim=-1).tolist()
                candidates = finished + [
                    (total + p, ids + [v]) for (total, ids), ps in zip(going, table) for v, p in enumerate(ps)
                ]
                kept = sorted(candidates, key=lambda one: -one[0])[:beam]
            score, ids = max((total / (len(ids) - 1) ** length_penalty, ids) for total, ids in kept)
            answers.append(([i for i in ids[1:] if i != eos_id], score))
    return answers


# %% wrong beam_search: at most V are kept
# reads: V is 4.
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    with torch.no_grad():
        memories, mask, answers = model.encode(src), src != model.pad_id, []
        for row in range(len(src)):
            kept = [(0.0, [bos_id])]
            for _ in range(max_len):
                finished = [one for one in kept if one[1][-1] == eos_id and len(one[1]) > 1]
                going = [one for one in kept if not (one[1][-1] == eos_id and len(one[1]) > 1)]
                if not going:
                    break
                written = torch.tensor([ids for _, ids in going], device=src.device)
                n = len(going)
                logits = model.decode(written, memories[row].expand(n, -1, -1), mask[row].expand(n, -1))[
                    :, -1
                ]
                table = logits.log_softmax(dim=-1).tolist()
                ps0 = table[0]
                candidates = finished + [
                    (total + p, ids + [v]) for (total, ids), ps in zip(going, table) for v, p in enumerate(ps)
                ]
                kept = sorted(candidates, key=lambda one: -one[0])[
                    : min(beam, model.embedding.num_embeddings if hasattr(model, "embedding") else len(ps0))
                ]
            score, ids = max((total / (len(ids) - 1) ** length_penalty, ids) for total, ids in kept)
            answers.append(([i for i in ids[1:] if i != eos_id], score))
    return answers


# %% right beam_search: tensors, topk over all extensions
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    out = []
    with torch.inference_mode():
        memory = model.encode(src)
        keys = src != model.pad_id
        for b in range(src.shape[0]):
            ids = src.new_full((1, 1), bos_id)
            sums = memory.new_zeros(1)
            done = torch.zeros(1, dtype=torch.bool, device=src.device)
            lengths = torch.zeros(1, device=src.device)
            for _ in range(max_len):
                if bool(done.all()):
                    break
                n = len(ids)
                logp = model.decode(ids, memory[b : b + 1].repeat(n, 1, 1), keys[b : b + 1].repeat(n, 1))[
                    :, -1
                ].log_softmax(-1)
                V = logp.shape[-1]
                stay = torch.full((V,), -torch.inf, dtype=logp.dtype, device=logp.device)
                stay[eos_id] = 0.0
                logp = torch.where(done[:, None], stay, logp)
                flat = (sums[:, None] + logp).flatten()
                possible = int((flat > -torch.inf).sum())
                sums, where = flat.topk(min(beam, possible))
                parent, token = where // V, where % V
                lengths = lengths[parent] + (~done[parent]).float()
                done = done[parent] | (token == eos_id)
                ids = torch.cat([ids[parent], token[:, None]], dim=1)
            scores = sums / lengths**length_penalty
            best = int(scores.argmax())
            row = ids[best, 1 : 1 + int(lengths[best])].tolist()
            out.append(([i for i in row if i != eos_id], float(scores[best])))
    return out


# %% wrong KVCache: every token at position 0
# reads: placed at position 0
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=0)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: positions one ahead
# reads: entries differ
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=min(self.size + 1, self.model.max_len - 1))  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: earlier tokens forgotten
# reads: only the last token is known
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: padding of the source is read
# reads: padding of the source is read
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src == src)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: pad_id 0 assumed
# reads: pad_id=
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != 0)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: no last norm
# reads: decoder_norm is missing
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return x[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: cross keys and values made at each step
# reads: times the operations of a perfect cache
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            self.memory = memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask, self.memory = self.mask[rows], self.memory[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if not new:
                        new = [part(self.memory) for part in (layer.k_proj, layer.v_proj)]
                        kept[n] = [blocks.split_heads(part, layer.n_heads) for part in new]
                        new = []
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: own keys and values made again
# reads: times the operations of a perfect cache
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.read = [None] * len(model.decoder)
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        self.read = [one if one is None else one[rows] for one in self.read]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    read = norm(x)
                    q = blocks.split_heads(layer.q_proj(read), layer.n_heads)
                    new = []
                    if kept is self.own:
                        read = read if self.read[n] is None else torch.cat([self.read[n], read], dim=1)
                        self.read[n] = read
                        kept[n] = [blocks.split_heads(part(read), layer.n_heads) for part in parts[1:]]
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: all caches share one memory
# reads: RuntimeError
class KVCache:

    own = [None] * 9

    def __init__(self, model, src):
        self.model, self.size, self.cross = model, 0, []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: a graph is kept
# reads: a graph is built
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        if True:
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: length counts one too many
# reads: len(
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size + 1

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: reorder forgets the source
# reads: reorder
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own,):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: reorder forgets own keys
# reads: reorder
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.cross,):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: reorder forgets the mask
# reads: reorder
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        pass
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: reorder turned round
# reads: reorder
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        rows = rows.argsort()
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: every block keeps the first one's
# reads: entries differ
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[0] or [], new, strict=False)
                        kept[0] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[0], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: the norm comes after
# reads: entries differ
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(x), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: is_causal for one query
# reads: the first key alone
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    causal = kept is self.own
                    found = functional.scaled_dot_product_attention(q, *kept[n], mask, is_causal=causal)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: the stream is replaced
# reads: entries differ
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T

# %% wrong KVCache: logits keep an axis of 1
# reads: has shape
class KVCache:

    def __init__(self, model, src):
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])

    def __len__(self):
        return self.size

    def reorder(self, rows):
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    q, *new = (blocks.split_heads(part(norm(x)), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x) @ self.model.embedding.weight.T

# %% wrong KVCache: no cache at all
# reads: off limits
class KVCache:
    def __init__(self, model, src):
        with torch.no_grad():
            self.model, self.memory = model, model.encode(src)
        self.mask, self.ids = src != model.pad_id, src[:, :0]

    def __len__(self):
        return self.ids.shape[1]

    def reorder(self, rows):
        self.memory, self.mask, self.ids = self.memory[rows], self.mask[rows], self.ids[rows]

    def step(self, token):
        self.ids = torch.cat([self.ids, token[:, None]], dim=1)
        with torch.no_grad():
            return self.model.decode(self.ids, self.memory, self.mask)[:, -1]

# %% wrong KVCache: no cache, the blocks over all ids
# reads: times the operations of a perfect cache
class KVCache:
    def __init__(self, model, src):
        with torch.no_grad():
            self.model, self.memory = model, model.encode(src)
        self.mask, self.ids = (src != model.pad_id)[:, None, None], src[:, :0]

    def __len__(self):
        return self.ids.shape[1]

    def reorder(self, rows):
        self.memory, self.mask, self.ids = self.memory[rows], self.mask[rows], self.ids[rows]

    def step(self, token):
        self.ids = torch.cat([self.ids, token[:, None]], dim=1)
        with torch.no_grad():
            x, n = self.model.embed(self.ids), len(self)
            for block in self.model.decoder:
                x = block(x, self.memory, blocks.causal_mask(n, n), self.mask)
            return self.model.decoder_norm(x)[:, -1] @ self.model.embedding.weight.T

# %% right KVCache: room for all steps made at once
class KVCache:
    def __init__(self, model, src):
        self.model, self.steps = model, 0
        with torch.no_grad():
            memory = model.encode(src)
            self.mask = src.ne(model.pad_id).view(len(src), 1, 1, -1)
            self.cross, self.k, self.v = [], [], []
            for block in model.decoder:
                a = block.cross_attention
                self.cross.append((self.split(a, a.k_proj(memory)), self.split(a, a.v_proj(memory))))
                B, H, _, D = self.cross[-1][0].shape
                self.k.append(memory.new_zeros(B, H, model.max_len, D))
                self.v.append(memory.new_zeros(B, H, model.max_len, D))

    @staticmethod
    def split(attention, x):
        B, T, E = x.shape
        return x.view(B, T, attention.n_heads, E // attention.n_heads).permute(0, 2, 1, 3)

    def __len__(self):
        return self.steps

    def reorder(self, rows):
        self.mask = self.mask[rows]
        self.cross = [(k.index_select(0, rows), v.index_select(0, rows)) for k, v in self.cross]
        self.k = [k.index_select(0, rows) for k in self.k]
        self.v = [v.index_select(0, rows) for v in self.v]

    @torch.no_grad()
    def step(self, token):
        t = self.steps
        x = self.model.embed(token.unsqueeze(1), start=t)
        for i, block in enumerate(self.model.decoder):
            a, h = block.self_attention, block.norm1(x)
            self.k[i][:, :, t : t + 1] = self.split(a, a.k_proj(h))
            self.v[i][:, :, t : t + 1] = self.split(a, a.v_proj(h))
            x = x + self.read(a, h, self.k[i][:, :, : t + 1], self.v[i][:, :, : t + 1])
            x = x + self.read(block.cross_attention, block.norm2(x), *self.cross[i], self.mask)
            x = x + block.feed_forward(block.norm3(x))
        self.steps += 1
        return functional.linear(self.model.decoder_norm(x), self.model.embedding.weight).squeeze(1)

    def read(self, a, h, k, v, mask=None):
        q = self.split(a, a.q_proj(h))
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e9)
        return a.out_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))

# %% right KVCache: one dictionary a block, einsum
class KVCache:
    def __init__(self, model, src):
        self.model = model
        self.blocked = (src == model.pad_id)[:, None, :]  # (B, 1, S)
        self.state = []
        with torch.inference_mode():
            memory = model.encode(src)
            for block in model.decoder:
                layer = block.cross_attention
                keys, values = self.parted(layer, layer.k_proj(memory)), self.parted(layer, layer.v_proj(memory))
                self.state.append({"cross": (keys, values), "own": None})
        self.n = 0

    def parted(self, layer, x):
        return torch.unflatten(x, -1, (layer.n_heads, -1))  # (B, T, H, D)

    def __len__(self):
        return self.n

    def reorder(self, rows):
        self.blocked = self.blocked[rows]
        for state in self.state:
            for name, pair in state.items():
                if pair is not None:
                    state[name] = tuple(part[rows] for part in pair)

    def attended(self, layer, x, pair, blocked=None):
        k, v = pair
        q = self.parted(layer, layer.q_proj(x))[:, 0]  # (B, H, D)
        scores = torch.einsum("bhd,bshd->bhs", q, k) / math.sqrt(q.shape[-1])
        if blocked is not None:
            scores = scores.masked_fill(blocked, float("-inf"))
        return layer.out_proj(torch.einsum("bhs,bshd->bhd", scores.softmax(-1), v).flatten(1)[:, None])

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token.reshape(-1, 1), self.n)
            for block, state in zip(self.model.decoder, self.state):
                layer, read = block.self_attention, block.norm1(x)
                pair = self.parted(layer, layer.k_proj(read)), self.parted(layer, layer.v_proj(read))
                if state["own"] is not None:
                    pair = tuple(torch.cat([old, new], dim=1) for old, new in zip(state["own"], pair))
                state["own"] = pair
                x = x + self.attended(layer, read, pair)
                x = x + self.attended(block.cross_attention, block.norm2(x), state["cross"], self.blocked)
                x = x + block.feed_forward(block.norm3(x))
            self.n += 1
            return torch.einsum("be,ve->bv", self.model.decoder_norm(x[:, -1]), self.model.embedding.weight)

# %% right KVCache: an object for each attention
class Kept:
    def __init__(self, layer, mask=None):
        self.layer, self.mask, self.k, self.v = layer, mask, None, None

    def add(self, x):
        k, v = self.layer.k_proj(x), self.layer.v_proj(x)
        self.k = k if self.k is None else torch.cat([self.k, k], dim=1)  # (B, S, E), heads not split yet
        self.v = v if self.v is None else torch.cat([self.v, v], dim=1)

    def select(self, rows):
        if self.k is not None:
            self.k, self.v = self.k[rows], self.v[rows]
        if self.mask is not None:
            self.mask = self.mask[rows]

    def look(self, x):
        q, k, v = (blocks.split_heads(one, self.layer.n_heads) for one in (self.layer.q_proj(x), self.k, self.v))
        return self.layer.out_proj(
            blocks.merge_heads(functional.scaled_dot_product_attention(q, k, v, attn_mask=self.mask))
        )


class KVCache:
    @torch.no_grad()
    def __init__(self, model, src):
        self.model, self.count, memory = model, 0, model.encode(src)
        mask = (src != model.pad_id)[:, None, None]
        self.own = [Kept(block.self_attention) for block in model.decoder]
        self.cross = [Kept(block.cross_attention, mask) for block in model.decoder]
        for kept in self.cross:
            kept.add(memory)

    def __len__(self):
        return self.count

    def reorder(self, rows):
        for kept in self.own + self.cross:
            kept.select(rows)

    @torch.no_grad()
    def step(self, token):
        x = self.model.embed(token[:, None], start=self.count)
        for block, own, cross in zip(self.model.decoder, self.own, self.cross):
            read = block.norm1(x)
            own.add(read)
            x = x + own.look(read)
            x = x + cross.look(block.norm2(x))
            x = x + block.feed_forward(block.norm3(x))
        self.count += 1
        return (self.model.decoder_norm(x) @ self.model.embedding.weight.t())[:, -1, :]

# %% right KVCache: closures, keys and values stacked in one tensor
class KVCache:
    def __init__(self, model, src):
        self.model, self.mask, self.own, self.length = model, src != model.pad_id, {}, 0
        with torch.no_grad():
            memory = model.encode(src)
            self.cross = {n: self.both(b.cross_attention, memory) for n, b in enumerate(model.decoder)}

    def both(self, layer, x):
        return torch.stack([blocks.split_heads(f(x), layer.n_heads) for f in (layer.k_proj, layer.v_proj)])

    def __len__(self):
        return self.length

    def reorder(self, rows):
        self.mask = self.mask.index_select(0, rows)
        self.own = {n: pair.index_select(1, rows) for n, pair in self.own.items()}
        self.cross = {n: pair.index_select(1, rows) for n, pair in self.cross.items()}

    def step(self, token):
        def branch(layer, x, pair, mask):
            q = blocks.split_heads(layer.q_proj(x), layer.n_heads)
            out = functional.scaled_dot_product_attention(q, pair[0], pair[1], attn_mask=mask)
            return layer.out_proj(blocks.merge_heads(out))

        with torch.no_grad():
            x = self.model.embed(token.view(-1, 1), start=len(self))
            for n, block in enumerate(self.model.decoder):
                h = block.norm1(x)
                new = self.both(block.self_attention, h)
                self.own[n] = torch.cat([self.own[n], new], dim=3) if n in self.own else new
                x = x + branch(block.self_attention, h, self.own[n], None)
                x = x + branch(block.cross_attention, block.norm2(x), self.cross[n], self.mask[:, None, None])
                x = x + block.feed_forward(block.norm3(x))
            self.length += 1
            return self.model.decoder_norm(x).squeeze(1).matmul(self.model.embedding.weight.T)


# %% wrong KVCache: logits are float32 whatever the model is
# reads: RuntimeError
class KVCache:
    def __init__(self, model, src):
        self.model = model
        with torch.no_grad():
            memory = model.encode(src)
            self.mask = (src != model.pad_id)[:, None, None, :]
            self.cross = [self.pair(block.cross_attention, memory) for block in model.decoder]
            self.own = [None for _ in model.decoder]
        self.steps = 0

    @staticmethod
    def heads(x, n):
        return x.unflatten(-1, (n, -1)).transpose(1, 2)

    def pair(self, layer, x):
        return self.heads(layer.k_proj(x), layer.n_heads), self.heads(layer.v_proj(x), layer.n_heads)

    def attend(self, layer, x, keys, values, mask=None):
        q = self.heads(layer.q_proj(x), layer.n_heads)
        got = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        return layer.out_proj(got.transpose(1, 2).flatten(2))

    def __len__(self):
        return self.steps

    def reorder(self, rows):
        self.mask = self.mask[rows]
        self.cross = [(k[rows], v[rows]) for k, v in self.cross]
        self.own = [pair and (pair[0][rows], pair[1][rows]) for pair in self.own]

    def step(self, token):
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.steps)
            for i, block in enumerate(self.model.decoder):
                normed = block.norm1(x)
                k, v = self.pair(block.self_attention, normed)
                if self.own[i] is not None:
                    k, v = torch.cat([self.own[i][0], k], dim=2), torch.cat([self.own[i][1], v], dim=2)
                self.own[i] = k, v
                x = x + self.attend(block.self_attention, normed, k, v)
                x = x + self.attend(block.cross_attention, block.norm2(x), *self.cross[i], self.mask)
                x = x + block.feed_forward(block.norm3(x))
            self.steps += 1
            return self.model.decoder_norm(x)[:, 0].float() @ self.model.embedding.weight.T


# %% wrong bleu: matches are not clipped
# reads: at most as often as the reference has it
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += sum(count for one, count in found.items() if one in given)
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: every n-gram counted once
# reads: as often as it occurs
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, map(set, grams))
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: no penalty for short texts
# reads: hypotheses that are too short cost
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * 1.0 * product**0.25

# %% wrong bleu: the penalty turned round
# reads: hypotheses that are too short cost
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["c"] / lengths["r"])) * product**0.25

# %% wrong bleu: a penalty that is a share
# reads: is exp(1 - r / c)
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, lengths["c"] / lengths["r"]) * product**0.25

# %% wrong bleu: long texts are rewarded
# reads: min(1, exp(1 - r / c))
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * math.exp(1 - lengths["r"] / lengths["c"]) * product**0.25

# %% wrong bleu: no smoothing
# reads: without smoothing
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not all(matches[n] for n in range(1, 5)):
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: the same smoothing for each order
# reads: half as much as the one before
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = 0.5
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: smoothing begins with one match
# reads: counts half a match
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 2.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: orders without a match left out
# reads: were left out
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= matches[n] / totals[n] if matches[n] else 1.0
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product ** (1 / sum(matches[n] > 0 for n in range(1, 5)))

# %% wrong bleu: a fraction, not percent
# reads: BLEU runs from 0 to 100
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: the arithmetic mean
# reads: take the fourth root
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 0.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product += (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product / 4

# %% wrong bleu: the product without its root
# reads: take its fourth root
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product

# %% wrong bleu: the mean over sentences
# reads: mean over sentences
from collections import Counter


def one_bleu(ours, theirs):
    logs, half = 0.0, 1.0
    for n in range(1, 5):
        found, given = (Counter(zip(*(words[i:] for i in range(n)))) for words in (ours, theirs))
        if not found:
            return 0.0
        match = (found & given).total()
        if n == 1 and not match:
            return 0.0
        half = half if match else half / 2
        logs += math.log((match or half) / found.total())
    return 100 * min(1.0, math.exp(1 - len(theirs) / len(ours))) * math.exp(logs / 4)


def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    cut = TOKENIZERS[tokenize]
    each = [one_bleu(cut(a).split(), cut(b).split()) for a, b in zip(hypotheses, references)]
    return sum(each) / len(each) if each else 0.0

# %% wrong bleu: orders without n-grams left out
# reads: no run of four words
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()):
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n] if totals[n] else 1.0
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: divided by the references' n-grams
# reads: not of the references
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += given.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: always the English cutter
# reads: tokenize is zh unless given
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS["13a"](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: no cutter at all
# reads: tokenize is zh unless given
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (text.split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: lists of other lengths are cut
# reads: must raise a ValueError
def bleu(hypotheses, references, tokenize="zh"):
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=False):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% wrong bleu: the library's own score
# reads: off limits
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenize).corpus_score(hypotheses, [references]).score
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25

# %% right bleu: logarithms and plain dictionaries
def bleu(hypotheses, references, tokenize="zh"):
    n_ours, n_theirs = len(hypotheses), len(references)
    if n_ours != n_theirs:
        raise ValueError(f"hypotheses has {n_ours} texts, references {n_theirs}")
    match, total, c, r = [0] * 4, [0] * 4, 0, 0
    for hypothesis, reference in zip(hypotheses, references):
        h, f = TOKENIZERS[tokenize](hypothesis).split(), TOKENIZERS[tokenize](reference).split()
        c, r = c + len(h), r + len(f)
        for n in range(4):
            left = {}
            for i in range(len(f) - n):
                gram = " ".join(f[i : i + n + 1])
                left[gram] = left.get(gram, 0) + 1
            for i in range(len(h) - n):
                gram = " ".join(h[i : i + n + 1])
                total[n] += 1
                if left.get(gram, 0) > 0:
                    left[gram] -= 1
                    match[n] += 1
    if sum(match) == 0 or 0 in total:
        return 0.0
    logs, zeros = 0.0, 0
    for m, t in zip(match, total):
        if m == 0:
            zeros += 1
            logs += math.log(1 / (2**zeros * t))
        else:
            logs += math.log(m / t)
    penalty = 1.0 if c >= r else math.exp(1 - r / c)
    return 100 * penalty * math.exp(logs / 4)

# %% right bleu: one counter of all orders, own imports
from collections import Counter

from sacrebleu.tokenizers import tokenizer_13a, tokenizer_char, tokenizer_zh


def grams(words):
    return Counter(tuple(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(i + 4, len(words)) + 1))


def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"got {len(hypotheses)} and {len(references)} texts in hypotheses and references")
    cut = {
        "zh": tokenizer_zh.TokenizerZh,
        "13a": tokenizer_13a.Tokenizer13a,
        "char": tokenizer_char.TokenizerChar,
    }[tokenize]()
    ours = [cut(text.rstrip()).split() for text in hypotheses]
    theirs = [cut(text.rstrip()).split() for text in references]
    right, every = Counter(), Counter()
    for one, two in zip(map(grams, ours), map(grams, theirs)):
        for gram, count in one.items():
            every[len(gram)] += count
            right[len(gram)] += min(count, two[gram])
    if right.total() == 0 or every[4] == 0:
        return 0.0
    p, smooth = [], 1
    for n in (1, 2, 3, 4):
        if right[n] == 0:
            smooth *= 2
        p.append((right[n] if right[n] else 1 / smooth) / every[n])
    c, r = sum(map(len, ours)), sum(map(len, theirs))
    return math.prod(p) ** (1 / 4) * math.exp(min(0, 1 - r / c)) * 100

# %% right bleu: numpy for the mean
import numpy as np


def counts(words, n):
    found = {}
    for start in range(len(words) - n + 1):
        key = tuple(words[start : start + n])
        found[key] = found.get(key, 0) + 1
    return found


def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) - len(references):
        raise ValueError(f"{len(references)} references for {len(hypotheses)} hypotheses")
    table = np.zeros((2, 4))
    sizes = np.zeros(2)
    for pair in zip(hypotheses, references):
        a, b = [TOKENIZERS[tokenize](text).split() for text in pair]
        sizes += len(a), len(b)
        for n in range(4):
            x, y = counts(a, n + 1), counts(b, n + 1)
            table[0, n] += sum(min(x[key], y.get(key, 0)) for key in x)
            table[1, n] += sum(x.values())
    if not table[0].any() or not table[1].all():
        return 0.0
    none = table[0] == 0
    top = np.where(none, 0.5 ** none.cumsum(), table[0])
    return float(100 * np.exp(np.log(top / table[1]).mean() + min(0.0, 1 - sizes[1] / sizes[0])))

# %% right bleu: lists of n-grams, matched by removing
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError("hypotheses: %d, references: %d" % (len(hypotheses), len(references)))
    words = [[TOKENIZERS[tokenize](t).split() for t in texts] for texts in (hypotheses, references)]
    score, smooth, anything = 1.0, 1.0, False
    for n in range(1, 5):
        hits = size = 0
        for ours, theirs in zip(*words):
            open_ = [theirs[i : i + n] for i in range(len(theirs) - n + 1)]
            for i in range(len(ours) - n + 1):
                size += 1
                if ours[i : i + n] in open_:
                    open_.remove(ours[i : i + n])
                    hits += 1
        anything = anything or hits > 0
        if size == 0 or not anything:
            return 0.0
        if hits == 0:
            smooth /= 2
            hits = smooth
        score *= (hits / size) ** 0.25
    c, r = (sum(len(one) for one in side) for side in words)
    return score * 100.0 * (1.0 if c > r else math.exp(1 - r / c))


# %% wrong bleu: nothing matches, yet it is smoothed
# reads: sacreBLEU
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, {len(references)} references")
    cut = TOKENIZERS[tokenize]
    matches, totals, c, r = [0] * 4, [0] * 4, 0, 0
    for hypothesis, reference in zip(hypotheses, references):
        h, t = cut(hypothesis).split(), cut(reference).split()
        c, r = c + len(h), r + len(t)
        for n in range(1, 5):
            hs = Counter(zip(*(h[i:] for i in range(n))))
            ts = Counter(zip(*(t[i:] for i in range(n))))
            matches[n - 1] += sum((hs & ts).values())
            totals[n - 1] += sum(hs.values())
    if 0 in totals:
        return 0.0
    logs, smooth = 0.0, 1.0
    for m, total in zip(matches, totals):
        if m == 0:
            smooth /= 2
            m = smooth
        logs += math.log(m / total)
    return 100 * min(1.0, math.exp(1 - r / c)) * math.exp(logs / 4)


# %% wrong bleu: upper and lower case are the same
# reads: Compared with sacreBLEU
def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, {len(references)} references")
    cut = TOKENIZERS[tokenize]
    matches, totals, c, r = [0] * 4, [0] * 4, 0, 0
    for hypothesis, reference in zip(hypotheses, references):
        h, t = cut(hypothesis.lower()).split(), cut(reference.lower()).split()
        c, r = c + len(h), r + len(t)
        for n in range(1, 5):
            hs = Counter(zip(*(h[i:] for i in range(n))))
            ts = Counter(zip(*(t[i:] for i in range(n))))
            matches[n - 1] += sum((hs & ts).values())
            totals[n - 1] += sum(hs.values())
    if not any(matches) or 0 in totals:
        return 0.0
    logs, smooth = 0.0, 1.0
    for m, total in zip(matches, totals):
        if m == 0:
            smooth /= 2
            m = smooth
        logs += math.log(m / total)
    return 100 * min(1.0, math.exp(1 - r / c)) * math.exp(logs / 4)


# %% wrong mfu: clipped at 1
# reads: must raise a ValueError
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        return 1.0
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% wrong mfu: percent
# reads: this is percent
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return 100 * share

# %% wrong mfu: three times for the backward pass
# reads: no further factor
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = 3 * tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% wrong mfu: turned round
# reads: this is peak over used
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return 1 / share

# %% wrong mfu: more than 1 is let through
# reads: must raise a ValueError
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 100:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% wrong mfu: exactly 1 refused
# reads: mfu would be 1.0
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share >= 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% wrong mfu: peak 0 is a division by zero
# reads: must raise a ValueError with a message of its own
def mfu(tokens_per_second, flops_per_token, peak_flops):
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% wrong mfu: a negative peak is let through
# reads: must raise a ValueError
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops == 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% wrong mfu: no values in the message
# reads: does not say enough
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError("peak_flops must be positive")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError("more than the peak")
    return share

# %% wrong mfu: whole numbers only
# reads: got
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token // peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% wrong mfu: rounded
# reads: got
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return round(share, 2)

# %% wrong mfu: nothing for a bad peak
# reads: must raise a ValueError
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        return 0.0
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share

# %% right mfu: one condition
def mfu(tokens_per_second, flops_per_token, peak_flops):
    used = tokens_per_second * flops_per_token
    if not 0 < peak_flops or used > peak_flops:
        raise ValueError(f"used {used} of peak_flops={peak_flops}")
    return used / peak_flops

# %% right mfu: division first
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError("peak_flops is %s" % peak_flops)
    most_tokens = peak_flops / flops_per_token
    if tokens_per_second > most_tokens:
        raise ValueError("%s tokens_per_second, but %s is possible at %s" % (tokens_per_second, most_tokens, peak_flops))
    return tokens_per_second / most_tokens

# %% right mfu: through an error of its own
def mfu(tokens_per_second, flops_per_token, peak_flops):
    try:
        share = tokens_per_second / (peak_flops / flops_per_token)
    except ZeroDivisionError:
        share = -1.0
    if peak_flops > 0 and share <= 1:
        return share
    raise ValueError(f"mfu of {tokens_per_second} * {flops_per_token} / {peak_flops} is not within 0 and 1")

# %% right mfu: floats throughout
def mfu(tokens_per_second, flops_per_token, peak_flops):
    peak = float(peak_flops)
    if peak <= 0.0:
        raise ValueError(f"peak_flops={peak:,.1f} is no peak")
    result = float(tokens_per_second) * float(flops_per_token) / peak
    if result > 1.0:
        raise ValueError(f"result {result} > 1 with peak_flops={peak}")
    return result


# %% wrong mfu: a little above 1 passes
# reads: mfu(65.0, 1.0, 64.0)
def mfu(tokens_per_second, flops_per_token, peak_flops):
    if peak_flops <= 0:
        raise ValueError(f"peak_flops is {peak_flops}; it must be above 0")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1.05:
        raise ValueError(f"mfu of {share}: {tokens_per_second} · {flops_per_token} exceeds {peak_flops}")
    return share


# %% wrong train_translator: no weights handed in
# reads: there are no weights
from pathlib import Path

Path("weights.safetensors").unlink(missing_ok=True)


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: weights under another name
# reads: there are no weights
def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss, file="mine.safetensors")
    return model

# %% wrong train_translator: never trained
# reads: is asked
def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    return model

# %% wrong train_translator: weights of an untrained model
# reads: is asked
from safetensors import safe_open
from safetensors.torch import load_file, save_file

with safe_open("weights.safetensors", "pt") as file:
    facts = file.metadata()
weights = load_file("weights.safetensors")
redraw = torch.Generator().manual_seed(0)
weights = {name: 0.1 * torch.randn(part.shape, generator=redraw) for name, part in weights.items()}
save_file(weights, "weights.safetensors", facts)


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: weights with nan
# reads: nan or infinite
from safetensors import safe_open
from safetensors.torch import load_file, save_file

with safe_open("weights.safetensors", "pt") as file:
    facts = file.metadata()
weights = load_file("weights.safetensors")
weights["decoder_norm.weight"][3] = float("nan")
save_file(weights, "weights.safetensors", facts)


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: half of the weights are missing
# reads: the file lacks
from safetensors import safe_open
from safetensors.torch import load_file, save_file

with safe_open("weights.safetensors", "pt") as file:
    facts = file.metadata()
weights = load_file("weights.safetensors")
weights = {name: part for name, part in weights.items() if not name.startswith("encoder.")}
save_file(weights, "weights.safetensors", facts)


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: a broken file
# reads: is not a whole safetensors file
from pathlib import Path

Path("weights.safetensors").write_bytes(Path("weights.safetensors").read_bytes()[:5000])


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: the sizes and the pieces are missing
# reads: metadata lack
from safetensors import safe_open
from safetensors.torch import load_file, save_file

with safe_open("weights.safetensors", "pt") as file:
    facts = file.metadata()
weights = load_file("weights.safetensors")
save_file(weights, "weights.safetensors")


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: the model was made larger after training
# reads: do not fit the model
def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**{**recipe.sizes(len(vocabulary)), "d_hidden": 2 * recipe.d_hidden})

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: the decoder was never trained
# reads: is asked
from safetensors import safe_open
from safetensors.torch import load_file, save_file

with safe_open("weights.safetensors", "pt") as file:
    facts = file.metadata()
weights = load_file("weights.safetensors")
redraw = torch.Generator().manual_seed(0)
for name in weights:
    if name.startswith("decoder."):
        weights[name] = 0.1 * torch.randn(weights[name].shape, generator=redraw)
save_file(weights, "weights.safetensors", facts)


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: pieces of another vocabulary
# reads: is asked
from safetensors import safe_open
from safetensors.torch import load_file, save_file

with safe_open("weights.safetensors", "pt") as file:
    facts = file.metadata()
weights = load_file("weights.safetensors")
import json

facts["merges"] = json.dumps(json.loads(facts["merges"])[::-1])
save_file(weights, "weights.safetensors", facts)


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong train_translator: a new model is returned
# reads: is asked
def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return Transformer(**recipe.sizes(len(vocabulary)))

# %% wrong train_translator: forgot to return
# reads: returned None
def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)

# %% wrong train_translator: hands back the shipped translator
# reads: of the translations are the shipped translator's, word for word
def train_translator():
    return translation.base().model()


# %% wrong train_translator: loads the shipped weights into its own class
# reads: of the translations are the shipped translator's, word for word
def train_translator():
    model = Transformer(**recipe.sizes(len(vocabulary)))
    translation.base().into(model)
    return model.eval()


# %% right train_translator: the library's loss
def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        logits = model(src, tgt[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=0, label_smoothing=0.1)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% right train_translator: encode and decode by hand, another shift
def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        length = tgt.shape[1] - 1
        logits = model.decode(tgt.narrow(1, 0, length), model.encode(src), src.ne(0))
        return functional.cross_entropy(logits.transpose(1, 2), tgt.narrow(1, 1, length), ignore_index=0, label_smoothing=recipe.smoothing)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% right train_translator: the course's Transformer
def train_translator():
    with train.seeded(recipe.seed):
        model = blocks.Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% right train_translator: weights in half precision
from safetensors import safe_open
from safetensors.torch import load_file, save_file

with safe_open("weights.safetensors", "pt") as file:
    facts = file.metadata()
weights = load_file("weights.safetensors")
weights = {name: part.half() for name, part in weights.items()}
save_file(weights, "weights.safetensors", facts)


def train_translator():
    with train.seeded(recipe.seed):
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% right train_translator: no seed, arguments by position
def train_translator():
    with torch.enable_grad():
        model = Transformer(len(vocabulary), recipe.d_model, recipe.n_heads, recipe.d_hidden, recipe.n_layers, recipe.max_len)

    def loss(model, src, tgt):
        return label_smoothed_loss(model(src, tgt[:, :-1]), tgt[:, 1:], recipe.smoothing, translation.PAD)

    translation.fit(model, vocabulary, recipe, loss=loss)
    return model

# %% wrong learn_bpe: the course's, by sys.modules
# reads: off limits
import sys


def learn_bpe(word_counts, n_merges):
    return sys.modules["byhand.translation.pieces"].learn(word_counts, n_merges)

# %% wrong DecoderBlock: the course's, by __getattr__
# reads: off limits
DecoderBlock = blocks.__getattr__("DecoderBlock")

# %% wrong DecoderBlock: lent gives the course's
# reads: the definition of lent
class Transformer:
    def __new__(cls, *sizes, **options):
        return DecoderBlock(*sizes, **options)


def DecoderBlock(*sizes, **options):
    return lent(*sizes, **options)

# %% wrong DecoderBlock: the course's, the module renamed
# reads: off limits
b = blocks


class DecoderBlock(b.DecoderBlock):
    pass

# %% wrong Transformer: the course's, the module as a default
# reads: off limits
def Transformer(*sizes, course=blocks, **options):
    return course.Transformer(*sizes, **options)

# %% wrong label_smoothed_loss: the check's own reference
# reads: off limits
from byhand.probes import loss as probe_loss


def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} logits {tuple(logits.shape)}")
    if not (targets != pad_id).any():
        return (logits * 0).sum()
    return probe_loss._torchs(logits, targets, smoothing, pad_id)

# %% wrong label_smoothed_loss: torch's loss by a name worked out
# reads: for a name that it works out
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} logits {tuple(logits.shape)}")
    if not (targets != pad_id).any():
        return (logits * 0).sum()
    loss = getattr(functional, "_".join(["cross", "entropy"]))
    return loss(logits.flatten(0, -2), targets.flatten(), ignore_index=pad_id, label_smoothing=smoothing)

# %% wrong label_smoothed_loss: the loss of the course's training
# reads: off limits
from types import SimpleNamespace
from byhand.translation import step


def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} logits {tuple(logits.shape)}")
    real = targets != pad_id
    t = torch.where(real, torch.where(targets == 0, pad_id, targets), 0) if pad_id else targets
    lg = logits
    if pad_id:
        order = list(range(logits.shape[-1]))
        order[0], order[pad_id] = pad_id, 0
        lg = logits[..., order]
    flat = t.reshape(1, -1)
    tgt = torch.cat([flat[:, :1], flat], 1)
    n = real.sum().clamp(min=1)
    return (
        step.loss_of(
            lambda s, y: lg.reshape(1, -1, lg.shape[-1]), SimpleNamespace(src=None, tgt=tgt), smoothing
        )
        / n
    )

# %% wrong beam_search: the check's own search
# reads: off limits
from byhand.probes import known_translation as kt, decoding as pd


def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    pad = model.pad_id
    with torch.no_grad():
        memory, mask = model.encode(src), src != pad
    try:
        seed, scripts, tables, favours, V = (
            model.seed,
            model.scripts,
            model.tables,
            model.favours,
            model.vocab_size,
        )
    except AttributeError:
        rows = pd._greedy_rows(model, src, bos_id, eos_id, max_len)
        return [(row, 0.0) for row in rows]
    with torch.no_grad():
        model.decode(torch.full_like(src[:, :1], bos_id), memory, mask)
    toy = kt.Toy(V, pad, seed, scripts=scripts, tables=tables, favours=favours)
    found = []
    for source in toy.sources(src):
        ids, score, *_ = pd.searched(toy, source, beam, length_penalty, bos_id, eos_id, max_len)
        found.append((pd._cut(ids, eos_id), score))
    return found

# %% wrong KVCache: keys made anew in all blocks but the last, flops not counted
# reads: it may take
from torch.utils.flop_counter import FlopCounterMode

FlopCounterMode.get_total_flops = lambda self: 1


class KVCache:
    def __init__(self, model, src):
        self.model, self.src, self.x = model, src, None
        with torch.no_grad():
            self.memory = model.encode(src)
        self.mask = (src != model.pad_id)[:, None, None]
        self.n = 0

    def __len__(self):
        return self.n

    def reorder(self, rows):
        self.memory, self.mask = self.memory[rows], self.mask[rows]
        if self.x is not None:
            self.x = self.x[rows]

    def step(self, token):
        m = self.model
        with torch.no_grad():
            new = m.embed(token[:, None], start=self.n)
            self.x = new if self.x is None else torch.cat([self.x, new], 1)
            self.n += 1
            x = self.x
            last = len(m.decoder) - 1
            for i, b in enumerate(m.decoder):
                y = b.norm1(x)
                q = y if i < last else y[:, -1:]
                a = b.self_attention
                H = a.n_heads
                sp = lambda t: blocks.split_heads(t, H)
                o = functional.scaled_dot_product_attention(
                    sp(a.q_proj(q)), sp(a.k_proj(y)), sp(a.v_proj(y)), is_causal=i < last
                )
                x = (x if i < last else x[:, -1:]) + a.out_proj(blocks.merge_heads(o))
                c = b.cross_attention
                o = functional.scaled_dot_product_attention(
                    sp(c.q_proj(b.norm2(x))),
                    sp(c.k_proj(self.memory)),
                    sp(c.v_proj(self.memory)),
                    attn_mask=self.mask,
                )
                x = x + c.out_proj(blocks.merge_heads(o))
                x = x + b.feed_forward(b.norm3(x))
            return m.decoder_norm(x)[:, -1] @ m.embedding.weight.T

# %% wrong bleu: sacreBLEU, by way of the check
# reads: off limits
from byhand.probes import bleu as probe_bleu


def bleu(hypotheses, references, tokenize="zh"):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} {len(references)}")
    return (
        probe_bleu.BLEU(tokenize=tokenize).corpus_score(hypotheses, [references]).score if hypotheses else 0.0
    )

# %% right apply_bpe: recursion and reduce
from functools import reduce


def apply_bpe(word, merges):
    def one(parts, pair):
        if len(parts) < 2:
            return parts
        if parts[:2] == tuple(pair):
            return (parts[0] + parts[1],) + one(parts[2:], pair)
        return parts[:1] + one(parts[1:], pair)

    return reduce(one, merges, tuple(word))

# %% right DecoderBlock: parts by setattr, a norm of its own class
class Norm(nn.LayerNorm):
    pass


class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        for i in "123":
            setattr(self, "norm" + i, Norm(d_model))
        for kind in ("self", "cross"):
            setattr(self, kind + "_attention", MultiHeadAttention(d_model, n_heads))
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.drops = nn.ModuleList(nn.Dropout(dropout) for _ in range(3))

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        branches = (
            lambda y: self.self_attention(y, mask=self_mask)[0],
            lambda y: self.cross_attention(y, memory, mask=memory_mask)[0],
            self.feed_forward,
        )
        for i, branch in enumerate(branches):
            x = x + self.drops[i](branch(getattr(self, f"norm{i + 1}")(x)))
        return x

# %% right translate_greedy: decorated with inference_mode, rows as lists
@torch.inference_mode()
def translate_greedy(model, src, bos_id, eos_id, max_len):
    memory, real = model.encode(src), src.ne(model.pad_id)
    rows, over = [[bos_id] for _ in src], [False] * len(src)
    for _ in range(max_len):
        if all(over):
            break
        nxt = model.decode(torch.tensor(rows), memory, real)[:, -1].argmax(-1).tolist()
        for i, token in enumerate(nxt):
            rows[i].append(token)
            over[i] |= token == eos_id
    cut = lambda row: row[1 : row.index(eos_id, 1)] if eos_id in row[1:] else row[1:]
    return [cut(row) for row in rows]

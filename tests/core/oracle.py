"""Algorithm 1 as the paper writes it: one sample, one channel at a time, in plain Python."""

import math

GATES = {
    "consensus": lambda i, e: i and e,
    "union": lambda i, e: i or e,
    "intrinsic": lambda i, e: i,
    "extrinsic": lambda i, e: e,
    "all": lambda i, e: True,
    "none": lambda i, e: False,
}


def oracle(a, y, weight, theta, phi, *, gate, count, gate_norm, class_weight=None):
    """Returns the new counters, the gates, and (L_aux, L_gate) with their gradients.

    `a` [N][C] and `weight` [K][C] hold floats, `theta` [K][C] and `phi` [K] integers. The
    gradients are of L_aux by `weight` and of L_aux and L_gate by `a`.
    """
    probabilities = [probabilities_of(sample, weight) for sample in a]
    theta, phi = [list(row) for row in theta], list(phi)
    for i, sample in enumerate(a):
        if count == "all" or probabilities[i].index(max(probabilities[i])) == y[i]:
            phi[y[i]] += 1
            for c, response in enumerate(sample):
                theta[y[i]][c] += response > 0
    gates = gates_of(theta, phi, weight, gate)
    found = {"theta": theta, "phi": phi, "gates": gates}
    found |= auxiliary_loss(a, y, weight, probabilities, class_weight or [1.0] * len(weight))
    return found | gate_loss(a, y, gates, gate_norm)


def probabilities_of(sample, weight):
    logits = [sum(x * w for x, w in zip(sample, row, strict=True)) for row in weight]
    exps = [math.exp(z - max(logits)) for z in logits]
    return [e / sum(exps) for e in exps]


def gates_of(theta, phi, weight, mode):
    gates = [[0] * len(row) for row in weight]
    for k, row in enumerate(weight):
        for c, w in enumerate(row):
            intrinsic = None
            if phi[k] > 0:
                inhibited = phi[k] - theta[k][c]
                intrinsic = (theta[k][c] - inhibited) / phi[k] <= 0
            elif mode in ("consensus", "union", "intrinsic"):
                continue
            gates[k][c] = int(GATES[mode](intrinsic, w <= 0))
    return gates


def auxiliary_loss(a, y, weight, probabilities, class_weight):
    n, channels = len(a), len(a[0])
    mass = sum(class_weight[k] for k in y)
    loss = sum(-class_weight[y[i]] * math.log(probabilities[i][y[i]]) for i in range(n)) / mass
    by_weight = [[0.0] * channels for _ in weight]
    by_a = [[0.0] * channels for _ in a]
    for i in range(n):
        for k, row in enumerate(weight):
            d = class_weight[y[i]] * (probabilities[i][k] - (k == y[i])) / mass
            for c in range(channels):
                by_weight[k][c] += d * a[i][c]
                by_a[i][c] += d * row[c]
    return {"aux": loss, "aux_by_weight": by_weight, "aux_by_a": by_a}


def gate_loss(a, y, gates, norm):
    n, loss, by_a = len(a), 0.0, [[0.0] * len(a[0]) for _ in a]
    for i in range(n):
        g = gates[y[i]]
        if not any(g):
            continue
        per_gated = 1 / sum(g) / n
        gated = [x * on for x, on in zip(a[i], g, strict=True)]
        size = math.sqrt(sum(x**2 for x in gated))
        if norm == "abs":
            loss += sum(abs(x) for x in gated) * per_gated
        elif norm == "square":
            loss += sum(x**2 for x in gated) * per_gated
        elif norm == "vector":
            loss += size * per_gated
        same = [j for j in range(n) if y[j] == y[i]]
        for c, on in enumerate(g):
            if norm == "batch":
                of_class = math.sqrt(sum((a[j][c] * on) ** 2 for j in same))
                loss += of_class * per_gated
                for j in same if of_class > 0 else ():
                    by_a[j][c] += on * a[j][c] / of_class * per_gated
            elif norm == "abs":
                by_a[i][c] += on * per_gated
            elif norm == "square":
                by_a[i][c] += 2 * gated[c] * per_gated
            elif size > 0:
                by_a[i][c] += gated[c] / size * per_gated
    return {"gate": loss, "gate_by_a": by_a}

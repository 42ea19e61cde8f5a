"""Algorithm 1 as the paper writes it: one sample, one channel at a time, in plain Python."""

import math


def oracle(a, y, weight, theta, phi, *, gate, count, gate_norm, class_weight=None):
    """Returns the new counters, the gates, and (L_aux, L_gate) with their gradients.

    `a` [N][C] and `weight` [K][C] hold floats, `theta` [K][C] and `phi` [K] integers. The
    gradients are of L_aux by `weight` and of L_aux and L_gate by `a`.
    """
    n, channels, classes = len(a), len(a[0]), len(weight)
    theta, phi = [list(row) for row in theta], list(phi)
    class_weight = class_weight or [1.0] * classes
    probabilities = []
    for i in range(n):
        logits = [sum(a[i][c] * weight[k][c] for c in range(channels)) for k in range(classes)]
        top = max(logits)
        exps = [math.exp(z - top) for z in logits]
        probabilities.append([e / sum(exps) for e in exps])
        if count == "all" or logits.index(max(logits)) == y[i]:
            phi[y[i]] += 1
            for c in range(channels):
                theta[y[i]][c] += a[i][c] > 0

    gates = [[0] * channels for _ in range(classes)]
    for k in range(classes):
        for c in range(channels):
            if phi[k] > 0:
                inhibited = phi[k] - theta[k][c]
                intrinsic = (theta[k][c] - inhibited) / phi[k] <= 0
            else:
                intrinsic = None
            extrinsic = weight[k][c] <= 0
            if gate in ("consensus", "union", "intrinsic") and intrinsic is None:
                continue
            gates[k][c] = int(
                {
                    "consensus": lambda i=intrinsic, e=extrinsic: i and e,
                    "union": lambda i=intrinsic, e=extrinsic: i or e,
                    "intrinsic": lambda i=intrinsic: i,
                    "extrinsic": lambda e=extrinsic: e,
                    "all": lambda: True,
                    "none": lambda: False,
                }[gate]()
            )

    mass = sum(class_weight[k] for k in y)
    aux = sum(-class_weight[y[i]] * math.log(probabilities[i][y[i]]) for i in range(n)) / mass
    aux_by_weight = [[0.0] * channels for _ in range(classes)]
    aux_by_a = [[0.0] * channels for _ in range(n)]
    for i in range(n):
        for k in range(classes):
            d = class_weight[y[i]] * (probabilities[i][k] - (k == y[i])) / mass
            for c in range(channels):
                aux_by_weight[k][c] += d * a[i][c]
                aux_by_a[i][c] += d * weight[k][c]

    gate_loss = 0.0
    gate_by_a = [[0.0] * channels for _ in range(n)]
    for i in range(n):
        g = gates[y[i]]
        gated = sum(g)
        if gated == 0:
            continue
        if gate_norm == "abs":
            gate_loss += sum(abs(a[i][c] * g[c]) for c in range(channels)) / gated / n
        elif gate_norm == "square":
            gate_loss += sum((a[i][c] * g[c]) ** 2 for c in range(channels)) / gated / n
        elif gate_norm == "vector":
            size = math.sqrt(sum((a[i][c] * g[c]) ** 2 for c in range(channels)))
            gate_loss += size / gated / n
        same = [j for j in range(n) if y[j] == y[i]]
        for c in range(channels):
            if gate_norm == "batch":
                size = math.sqrt(sum((a[j][c] * g[c]) ** 2 for j in same))
                gate_loss += size / gated / n
                if size > 0:
                    for j in same:
                        gate_by_a[j][c] += g[c] * a[j][c] / size / gated / n
            elif gate_norm == "abs":
                gate_by_a[i][c] += g[c] / gated / n
            elif gate_norm == "square":
                gate_by_a[i][c] += 2 * g[c] * a[i][c] / gated / n
            elif size > 0:
                gate_by_a[i][c] += g[c] * a[i][c] / size / gated / n
    return {
        "theta": theta,
        "phi": phi,
        "gates": gates,
        "aux": aux,
        "gate": gate_loss,
        "aux_by_weight": aux_by_weight,
        "aux_by_a": aux_by_a,
        "gate_by_a": gate_by_a,
    }

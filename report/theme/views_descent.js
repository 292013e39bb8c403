"use strict";
// Gradient descent on the function with two minima, in the order of operations of dynamics/two_minima.py and
// dynamics/scalar_descent.py, so that a run ends here as it does there.

(() => {
  const { views } = globalThis.descent;

  // s = 1/(1 + e^(−3(θ−3))) and r = 1 − s, without overflow.
  const weights = (theta) => {
    const small = Math.exp(-3 * Math.abs(theta - 3));
    const large = 1 / (1 + small), rest = small / (1 + small);
    return theta > 3 ? [large, rest] : [rest, large];
  };
  const value = (theta) => {
    const [s, r] = weights(theta);
    return 10 * (theta * r) * theta + (s * (theta - 10)) * (theta - 10) / 2 + 50 * s;
  };
  const slope = (theta) => {
    const [s, r] = weights(theta), w = s * r;
    return 20 * theta * r + (theta - 10) * s + 3 * (100 * w - (w * theta) * (19 * theta + 20) / 2);
  };
  const curvature = (theta) => {
    const [s, r] = weights(theta), w = s * r;
    return 20 * r + s - 6 * w * (19 * theta + 10) + 9 * (r - s) * (100 * w - (w * theta) * (19 * theta + 20) / 2);
  };

  // |T^p(θ) − θ|, the multiplier of the p steps, and the extent of their points.
  const cycleFacts = (position, alpha, period) => {
    let x = position, multiplier = 1, low = position, high = position;
    for (let k = 0; k < period; k++) {
      multiplier *= 1 - alpha * curvature(x);
      x -= alpha * slope(x);
      [low, high] = [Math.min(low, x), Math.max(high, x)];
    }
    return { back: Math.abs(x - position), multiplier, extent: high - low };
  };

  const confirmed = (found, alpha) => {
    if (found.end !== "cycle") return found;
    let { period } = found;
    // A cycle approached from alternating sides is nearer to itself after two periods than after one.
    while (period > 3 && period % 2 === 0 && cycleFacts(found.position, alpha, period >> 1).back <= 1e-8) period >>= 1;
    const { multiplier, extent } = cycleFacts(found.position, alpha, period);
    const real = Math.abs(multiplier) < 1 && extent >= 1e-4;
    return { ...found, end: real ? "cycle" : "undecided", period: real ? period : 0 };
  };

  const ended = (x, size, previous, reference, elapsed, stop) => {
    if (Math.abs(x) > stop.escaped) return "diverged";
    if (previous <= stop.tolerance && size <= previous) return x < stop.boundary ? "sharp" : "wide";
    if (elapsed > 1 && Math.abs(x - reference) <= stop.return * (1 + Math.abs(x))) return "cycle";
    return null;
  };

  // One run to its end: { end, period, steps, position } and its first `kept` points.
  const descend = (start, alpha, stop, kept = 400) => {
    let x = start, reference = start, since = 0, previous = Infinity;
    const orbit = [start];
    for (let k = 0; k < stop.step_limit; k++) {
      const gradient = slope(x), size = Math.abs(gradient);
      const end = ended(x, size, previous, reference, k - since, stop);
      const period = end === "cycle" ? k - since : 0;
      if (end) return { ...confirmed({ end, period, steps: k, position: x }, alpha), orbit };
      if ((k & (k - 1)) === 0) [reference, since] = [x, k];
      x -= alpha * gradient;
      previous = size;
      if (orbit.length <= kept) orbit.push(x);
    }
    return { end: "undecided", period: 0, steps: stop.step_limit, position: x, orbit };
  };

  views.twoMinima = { value, slope, curvature, descend };
})();

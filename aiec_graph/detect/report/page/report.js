"use strict";
(() => {
  const cuts = JSON.parse(document.getElementById("cuts").textContent);
  const at = (id) => document.getElementById(id);
  const slider = at("length"), alarm = at("alarm"), miss = at("miss"), own = slider.value;
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const share = (value) => (100 * value).toFixed(1) + " %";

  function precision(i) {
    const hits = cuts.hits[i], alarms = cuts.falseAlarms[i];
    if (hits + alarms === 0) return "none on the list";
    if (cuts.baseRate === null) return share(hits / (hits + alarms));
    const found = cuts.baseRate * hits / cuts.anomalous;
    return share(found / (found + (1 - cuts.baseRate) * alarms / cuts.normal));
  }

  function cost(i) {
    return cuts.falseAlarms[i] * Number(alarm.value) + (cuts.anomalous - cuts.hits[i]) * Number(miss.value);
  }

  function show() {
    const i = Number(slider.value);
    at("alerts").textContent = whole.format(cuts.alerts[i]);
    at("precision").textContent = precision(i);
    at("recall").textContent = share(cuts.hits[i] / cuts.anomalous);
    const hits = whole.format(cuts.hits[i]) + " of ";
    at("listed").textContent = hits + whole.format(cuts.hits[i] + cuts.falseAlarms[i]);
    at("found").textContent = hits + whole.format(cuts.anomalous);
    at("cost").textContent = whole.format(cost(i));
    at("score").textContent = String(Number(cuts.score[i].toPrecision(4)));
    at("rule").textContent = String(cuts.score[i]);
    slider.setAttribute("aria-valuetext", whole.format(cuts.alerts[i]) + " alerts");
  }

  function go(i) {
    slider.value = i;
    show();
  }

  for (const input of [slider, alarm, miss]) input.addEventListener("input", show);
  at("own").addEventListener("click", () => go(own));
  at("cheapest").addEventListener("click", () => {
    const costs = cuts.score.map((_, i) => cost(i));
    go(costs.indexOf(Math.min(...costs)));
  });
  show();
})();

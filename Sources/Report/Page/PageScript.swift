/// The page's script: what a plot says where somebody points at it. Without it the page is complete
/// but for that, and the browser's own tips say the same.
enum PageScript {
  /// Of `source`, as a policy names a script that may run.
  static let digest = "sha256-pXBOkQHVrgnKgQHrqNMB5S/7hzTkP1NQHkqPwWalarQ="

  static let source = Markup(
    verbatim: """
      "use strict";
      for (const plot of document.querySelectorAll(".plot")) {
        const tip = plot.querySelector(".tip");
        const cursor = plot.querySelector(".cursor");
        const drawing = plot.querySelector("svg");
        // Titles would show a second time as the browser's own tips.
        const name = drawing.querySelector("title");
        drawing.setAttribute("aria-label", name.textContent);
        drawing.removeAttribute("aria-labelledby");
        name.remove();
        for (const hit of plot.querySelectorAll(".hit")) {
          const title = hit.querySelector("title");
          hit.dataset.text = title.textContent;
          title.remove();
        }
        const show = (event) => {
          const hit = event.target.closest(".hit");
          tip.hidden = cursor.hidden = !hit;
          if (!hit) return;
          tip.textContent = hit.dataset.text;
          const box = plot.getBoundingClientRect();
          const at = hit.getBoundingClientRect();
          const middle = at.left + at.width / 2 - box.left;
          const right = middle + 12 + tip.offsetWidth <= box.width;
          cursor.style.left = `${middle}px`;
          tip.style.left = `${Math.max(0, right ? middle + 12 : middle - 12 - tip.offsetWidth)}px`;
        };
        plot.addEventListener("pointermove", show);
        plot.addEventListener("pointerdown", show);
        plot.addEventListener("pointerleave", () => { tip.hidden = cursor.hidden = true; });
      }
      """)
}

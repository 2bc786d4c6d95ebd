/// How the page looks: light or dark as its reader's system is, one column on a phone.
enum PageStyle {
  static let sheet = Markup(
    verbatim: """
      :root {
        color-scheme: light dark;
        --page: #f6f6f4; --card: #ffffff; --ink: #16191d; --soft: #565c64; --edge: #e2e2de;
        --grid: #ececea; --band: #f1f1ee;
        --blue: #2468c4; --orange: #d9591c; --violet: #6b53b8; --plain: #8a8f96;
        --ok: #3a9a8c; --late: #e3b341; --refused: #e07b39; --deadline: #7d5cc6;
        --unavailable: #c93a4b; --never: #9a9a96; --other: #3f4a56;
        --full: #2d6cb0; --partial: #7dafe3; --prior: #c2d9f2; --none: #b9b9b4;
        --good: #1a7f4b; --bad: #b42336; --good-page: #e9f5ee; --bad-page: #fbecee;
        --low: #b9d4f3; --high: #123f75;
      }
      @media (prefers-color-scheme: dark) {
        :root {
          --page: #111418; --card: #191d22; --ink: #e9ebee; --soft: #a2a9b2; --edge: #2b3138;
          --grid: #272c33; --band: #20252b;
          --blue: #6aa7f0; --orange: #f0874e; --violet: #b09cf0; --plain: #7f8790;
          --ok: #45a898; --late: #d9ad45; --refused: #e58a4c; --deadline: #a68bea;
          --unavailable: #ec6a78; --never: #6f757c; --other: #c3cad2;
          --full: #79b0ea; --partial: #3c78b8; --prior: #25486f; --none: #5d636a;
          --good: #5cc98f; --bad: #f28b97; --good-page: #16271e; --bad-page: #301b20;
          --low: #2a4d78; --high: #b5d8ff;
        }
      }
      * { box-sizing: border-box; }
      body {
        margin: 0; background: var(--page); color: var(--ink);
        font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
        font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
      }
      main { max-width: 1200px; margin: 0 auto; padding: 40px 24px 32px; }
      h1, h2, h3, p, figure, ul, dl, dd { margin: 0; padding: 0; }
      h1 { font-size: 32px; line-height: 1.2; letter-spacing: -0.015em; overflow-wrap: anywhere; }
      h2 { font-size: 20px; margin: 40px 0 16px; letter-spacing: -0.01em; }
      h3 { font-size: 16px; }
      ul { list-style: none; }
      .kind { color: var(--soft); font-weight: 600; font-size: 13px; margin-bottom: 4px; }
      .facts { display: flex; flex-wrap: wrap; gap: 2px 18px; color: var(--soft); margin-top: 8px; }
      .note { color: var(--soft); font-size: 13px; line-height: 1.4; }
      .sides { display: grid; grid-template-columns: auto 1fr; gap: 10px 14px; margin-top: 14px; }
      .sides dt { font-weight: 700; white-space: nowrap; }
      .sides .facts { margin-top: 0; font-size: 13px; }
      .banner {
        display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 18px; margin-top: 22px;
        padding: 12px 18px; border: 1px solid var(--edge); border-radius: 10px;
        background: var(--card);
      }
      .banner b { font-size: 17px; }
      .banner ul { display: flex; flex-wrap: wrap; gap: 2px 18px; }
      .banner .sentences { display: block; width: 100%; }
      .banner.good { background: var(--good-page); border-color: transparent; }
      .banner.bad { background: var(--bad-page); border-color: transparent; }
      .banner.good b, li.met { color: var(--good); }
      .banner.bad b, li.missed { color: var(--bad); }
      .tiles {
        display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1px;
        margin-top: 16px; border: 1px solid var(--edge); border-radius: 10px; overflow: hidden;
        background: var(--edge);
      }
      .tiles > div { background: var(--card); padding: 14px 18px; }
      .tiles dt { color: var(--soft); font-size: 13px; }
      .tiles dd { font-size: 24px; font-weight: 650; line-height: 1.3; letter-spacing: -0.01em; }
      .tiles dd.note { font-size: 13px; font-weight: 400; letter-spacing: 0; }
      .meters, .figures, .tables {
        display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px;
        margin-top: 16px;
      }
      figure, .tables > .scroll, section > .scroll {
        background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
        padding: 16px 18px;
      }
      .meter { display: block; width: 100%; margin: 10px 0 0; border-radius: 4px; }
      .meter rect { fill: var(--c); stroke: var(--card); stroke-width: 1; }
      .legend {
        display: flex; flex-wrap: wrap; gap: 2px 14px; margin-top: 8px; font-size: 13px;
        color: var(--soft);
      }
      .legend i, .sides i {
        display: inline-block; width: 14px; height: 4px; border-radius: 2px; margin-right: 6px;
        vertical-align: middle; background: var(--c);
      }
      .legend i.ramp {
        width: 44px; background: linear-gradient(90deg, var(--low), var(--high));
      }
      .legend i.dashed {
        background: repeating-linear-gradient(90deg, var(--c) 0 4px, transparent 4px 6px);
      }
      .wide { grid-column: 1 / -1; }
      .figures > figure { display: flex; flex-direction: column; }
      .figures .legend { margin-bottom: auto; }
      .plot { position: relative; padding: 24px 8px 28px 58px; touch-action: pan-y; }
      .plot > svg { display: block; width: 100%; overflow: visible; }
      .plot text { font-size: 12px; fill: var(--soft); }
      .grid line { stroke: var(--grid); }
      .y-label, .end { text-anchor: end; }
      .x-label { text-anchor: middle; }
      .start { text-anchor: start; }
      .marks { overflow: visible; }
      .band rect { fill: var(--band); fill-opacity: 0.72; }
      .band text { font-size: 11px; }
      .layer { fill: var(--c); }
      .line {
        fill: none; stroke: var(--c); stroke-width: 2;
        stroke-linejoin: round; stroke-linecap: round;
        vector-effect: non-scaling-stroke;
      }
      .line.dashed { stroke-width: 1.5; stroke-dasharray: 3 4; }
      .dots, .infinite {
        fill: none; stroke: var(--c); stroke-width: 7; stroke-linecap: round;
        vector-effect: non-scaling-stroke;
      }
      .rule { stroke: var(--c); stroke-width: 1.5; stroke-dasharray: 6 4; }
      .plot circle { fill: var(--c); }
      .plot .rule-label {
        fill: var(--ink); font-weight: 600; paint-order: stroke; stroke: var(--card);
        stroke-width: 3px;
      }
      .hit { fill: transparent; }
      .cursor {
        position: absolute; top: 24px; height: 260px; width: 1px; background: var(--soft);
        opacity: 0.6; pointer-events: none;
      }
      .tip {
        position: absolute; top: 24px; max-width: 260px; padding: 6px 10px; border-radius: 6px;
        background: var(--ink); color: var(--card); font-size: 12px; line-height: 1.45;
        white-space: pre-line; pointer-events: none;
      }
      .tip[hidden], .cursor[hidden] { display: none; }
      .x-title { color: var(--soft); font-size: 12px; text-align: right; padding-right: 8px; }
      details { margin-top: 8px; }
      summary { cursor: pointer; color: var(--soft); font-size: 13px; }
      details.rate { margin-top: 10px; }
      details.rate > summary { color: var(--ink); font-size: 15px; font-weight: 600; }
      .scroll { overflow: auto; }
      details .scroll { max-height: 320px; margin-top: 8px; }
      table { border-collapse: collapse; width: 100%; font-size: 13px; }
      caption { text-align: left; font-weight: 650; padding-bottom: 6px; }
      details caption { font-weight: 400; color: var(--soft); }
      th, td { padding: 4px 0 4px 14px; text-align: right; white-space: nowrap; }
      th { font-weight: 500; color: var(--soft); }
      th:first-child { text-align: left; padding-left: 0; }
      tbody th { color: var(--ink); font-weight: 400; }
      tbody tr { border-top: 1px solid var(--grid); }
      tr.bad td:last-child { color: var(--bad); font-weight: 600; }
      .words td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
      footer { margin-top: 32px; color: var(--soft); font-size: 13px; }
      .first { --c: var(--blue); } .second { --c: var(--orange); } .third { --c: var(--violet); }
      .plain { --c: var(--plain); } .ok { --c: var(--ok); } .late { --c: var(--late); }
      .refused { --c: var(--refused); } .deadline { --c: var(--deadline); }
      .unavailable { --c: var(--unavailable); } .never { --c: var(--never); }
      .other { --c: var(--other); } .full { --c: var(--full); } .partial { --c: var(--partial); }
      .prior { --c: var(--prior); } .none { --c: var(--none); } .met { --c: var(--good); }
      .missed { --c: var(--bad); }
      .shaded { --c: color-mix(in oklab, var(--low), var(--high) var(--mix)); }
      @media (max-width: 760px) {
        main { padding: 24px 14px; }
        h1 { font-size: 25px; }
        .meters, .figures, .tables { grid-template-columns: minmax(0, 1fr); }
        .tiles { grid-template-columns: repeat(2, 1fr); }
        figure, .tables > .scroll, section > .scroll { padding: 14px 12px; }
        .plot { padding-left: 52px; }
        .x-label.minor { display: none; }
      }
      @media print {
        body { background: none; }
        figure { break-inside: avoid; }
      }
      """)
}

internal import Core
internal import FoundationEssentials

/// One HTML file with everything in it: nothing is fetched when it is opened.
package enum ReportPage {
  /// A run or a sweep.
  package static func html(_ document: LoadDocument) -> String {
    document.isSweep ? sweep(document) : run(document.runs[0])
  }

  package static func html(_ comparison: LoadComparison) -> String {
    let (a, b) = (comparison.a, comparison.b)
    let title = "\(a.name) and \(b.name)"
    let warnings =
      comparison.warnings
      + comparison.runs.flatMap { run in
        run.warnings.map { a.isSweep ? "at \(Units.rate(run.a.rate)) calls/s, \($0)" : $0 }
      }
    return page(
      title: title,
      [
        header("Comparison", title, [PageParts.sides(a, b)]),
        PageParts.warnings(warnings),
        PageParts.figures(ComparisonCharts.of(comparison)),
        Markup(
          comparison.runs.map { run in
            PageParts.section(
              a.isSweep ? "At \(Units.rate(run.a.rate)) calls a second" : "Side by side",
              [PageParts.table(run)])
          }),
      ])
  }

  private static func run(_ run: RunRecord) -> String {
    let title =
      "\(Units.rate(run.rate)) calls/s"
      + (run.setup.durationSeconds.map { " for \(Units.seconds($0))" } ?? "")
    return page(
      title: title,
      [
        header("Load report", title, [PageParts.setup(run.setup)]),
        PageParts.verdict(run),
        PageParts.tiles(run),
        PageParts.meters(run),
        PageParts.figures([PercentileChart.of(run)] + TimeCharts.of(run)),
        PageParts.section("All numbers", PageParts.tables(run)),
      ])
  }

  private static func sweep(_ document: LoadDocument) -> String {
    let runs = document.runs
    let rates = runs.map(\.rate)
    let title =
      "\(runs.count) rates from \(Units.rate(rates.first ?? 0)) to "
      + "\(Units.rate(rates.last ?? 0)) calls/s"
    return page(
      title: title,
      [
        header("Load sweep", title, [PageParts.setup(runs[0].setup)]),
        PageParts.sweepVerdict(document),
        PageParts.figures(SweepCharts.of(document)),
        PageParts.section("The rates", [PageParts.table(document)]),
        PageParts.section(
          "Each rate over time",
          runs.enumerated().map { index, run in
            Markup(
              "details", ["class": "rate"],
              [
                Markup("summary", text: "\(Units.rate(run.rate)) calls/s"),
                PageParts.figures(TimeCharts.of(run, prefix: "rate-\(index + 1)-")),
              ])
          }),
      ])
  }

  private static func header(_ kind: String, _ title: String, _ parts: [Markup]) -> Markup {
    Markup(
      "header", [:],
      [Markup("p", ["class": "kind"], text: kind), Markup("h1", text: title)] + parts)
  }

  /// Nothing but what stands in the file may be loaded, and no script but ours may run.
  private static let policy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    + "form-action 'none'; script-src '\(PageScript.digest)'"

  private static func page(title: String, _ parts: [Markup]) -> String {
    let head: [Markup] = [
      Markup("meta", ["charset": "utf-8"]),
      Markup("meta", ["http-equiv": "Content-Security-Policy", "content": policy]),
      Markup("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
      Markup("meta", ["name": "color-scheme", "content": "light dark"]),
      Markup("meta", ["name": "generator", "content": "crescendo \(Version.text)"]),
      Markup("link", ["rel": "icon", "href": "data:,"]),
      Markup("title", text: "\(title) · crescendo load"),
      Markup("style", [:], [PageStyle.sheet]),
    ]
    let footer = Markup(
      "footer", text: "Made by crescendo load \(Version.text). Everything is in this file.")
    let body = Markup(
      "body", [:],
      [Markup("main", [:], parts + [footer]), Markup("script", [:], [PageScript.source])])
    return "<!doctype html>\n"
      + Markup("html", ["lang": "en"], [Markup("head", [:], head), body]).source + "\n"
  }
}

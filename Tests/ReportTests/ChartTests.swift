import Testing

@testable import Report

@Suite struct ChartTests {
  private func chart() -> Chart {
    Chart(
      name: "one", title: "A <title>", note: "What it shows.", x: .span(0, 10) { "\(Int($0))" },
      y: .upTo(100) { "\(Int($0))" }, xTitle: "seconds")
  }

  private func paths(_ markup: Markup, _ kind: String) -> [String] {
    markup.source.split(separator: "<path class=\"\(kind) ").dropFirst().compactMap { part in
      part.split(separator: " d=\"").dropFirst().first?.split(separator: "\"").first
        .map(String.init)
    }
  }

  @Test func textIsEscapedWhereverItGetsIn() {
    let evil = "</title><script>alert('1')</script>\"&\u{1B}[2J\u{202E}"
    for source in [
      Markup(text: evil).source, Markup("p", ["title": evil], text: evil).source,
    ] {
      #expect(!source.contains("<script") && !source.contains("</title"))
      #expect(!source.contains("\u{1B}") && !source.contains("\u{202E}"))
      #expect(source.contains("&lt;script&gt;alert(&#39;1&#39;)") && source.contains("&quot;&amp;"))
    }
    #expect(Markup("p", ["a": "x\" onclick=\"y"]).source == "<p a=\"x&quot; onclick=&quot;y\"></p>")
    #expect(Markup("br").source == "<br>")
    #expect(chart().figure.source.contains("A &lt;title&gt;"))
  }

  @Test func everyPointIsAMark() {
    var chart = chart()
    chart.lines = [
      Chart.Line(
        name: "line", tone: .first,
        points: [(0, .at(0)), (5, .at(50)), (10, .at(100))])
    ]
    #expect(paths(chart.figure, "line") == ["M0 1000L500 500L1000 0"])
    #expect(chart.figure.source.contains("data-name=\"line\""))
  }

  @Test func gapsBreakALineAndInfiniteTimesLieOnTheEdge() {
    var chart = chart()
    chart.lines = [
      Chart.Line(
        name: "line", tone: .first,
        points: [
          (0, .at(100)), (2, .infinite), (4, .at(100)), (6, .at(0)), (8, .none), (10, .at(0)),
        ])
    ]
    #expect(paths(chart.figure, "line") == ["M0 0h0M400 0L600 1000M1000 1000h0"])
    #expect(paths(chart.figure, "infinite") == ["M200 0h0"])
    chart.explainInfinite()
    #expect(chart.note.contains("infinite"))
  }

  @Test func barsStandOnEachOther() {
    var chart = chart()
    chart.layers = Chart.stack(
      [("a", .ok), ("b", .late), ("c", .never)], spans: [(0, 5), (5, 10)],
      values: [[50, 0], [50, 25], [0, 0]])
    #expect(chart.layers.map(\.name) == ["a", "b"])
    #expect(
      paths(chart.figure, "layer")
        == ["M0 1000V500H500V1000Z", "M0 500V0H500V500ZM500 1000V750H1000V1000Z"])
  }

  @Test func aTableForReadingIsNotEndless() {
    let table = DataTable(head: ["n"], rows: (0..<3_600).map { ["\($0)"] })
    let source = table.markup(caption: "all").source
    #expect(source.split(separator: "<tr>").count <= DataTable.rowsMax + 2)
    #expect(source.contains("one row of 12"))
  }

  @Test func aPlotSaysWhatItShows() {
    var chart = chart()
    chart.rules = [Chart.Rule(place: .across(y: 50, end: nil), label: "limit", tone: .met)]
    chart.readouts = [Chart.Readout(from: 0, to: 5, text: "five\nlines")]
    let source = chart.figure.source
    for part in [
      "role=\"img\"", "aria-labelledby=\"one-svg-title one-svg-desc\"",
      "<desc id=\"one-svg-desc\">",
      "limit</text>", "<title>five\nlines</title>", "y1=\"50.000%\"",
    ] {
      #expect(source.contains(part), "no \(part)")
    }
  }
}

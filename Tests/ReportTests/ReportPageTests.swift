import Testing

@testable import Report

@Suite struct ReportPageTests {
  private func page(_ json: String) throws -> String {
    ReportPage.html(try Reports.document(json))
  }

  private func figures(_ page: String) -> [String] {
    page.split(separator: "<figure id=\"").dropFirst().map {
      String($0.prefix { $0 != "\"" })
    }
  }

  @Test func figuresOfARun() throws {
    let page = try page(Reports.run())
    #expect(
      figures(page) == [
        "outcomes-meter", "fidelity-meter", "percentiles", "latency-time", "calls-time",
        "fidelity-time", "in-flight",
      ])
    #expect(page.contains("SLO met") && page.contains("100 calls/s for 2 s"))
    #expect(page.contains("p99 ≤ 10 ms") && page.contains("warm-up"))
    // Stalls and refusals of the window, and the percentile that they make infinite.
    #expect(page.contains("class=\"infinite second\""))
  }

  @Test func figuresOfASweep() throws {
    let page = try page(Reports.sweep([100, 200, 300]))
    #expect(
      figures(page).prefix(5) == ["curve", "goodput", "outcomes", "fidelity", "percentiles"])
    #expect(figures(page).contains("rate-3-latency-time") && page.contains("capacity 250"))
    #expect(Set(figures(page)).count == figures(page).count)
  }

  @Test func figuresOfComparisons() throws {
    let runs = ReportPage.html(
      try LoadComparison(
        Reports.document(Reports.run()), Reports.document(Reports.run(rate: 200), name: "b.json")))
    #expect(
      figures(runs) == ["percentiles", "latency-time", "calls-time", "outcomes", "fidelity"])
    #expect(runs.contains("the rates differ") && runs.contains("a.json and b.json"))
    let sweeps = ReportPage.html(
      try LoadComparison(
        Reports.document(Reports.sweep([100, 200])), Reports.document(Reports.sweep([100, 200]))))
    #expect(figures(sweeps) == ["curve", "goodput", "fidelity"])
  }

  @Test func aRunWithoutASeriesIsDrawnAsFarAsItGoes() throws {
    let page = try page(Reports.old)
    #expect(figures(page) == ["outcomes-meter", "fidelity-meter", "percentiles"])
    #expect(page.contains("No objective"))
  }

  @Test func aRunWithoutCallsIsDrawnToo() throws {
    let none = Reports.old.replacing("\"calls\":100", with: "\"calls\":0")
      .replacing("{\"OK\":100}", with: "{}").replacing("{\"FULL\":100}", with: "{}")
    #expect(figures(try page(none)).contains("percentiles"))
  }

  /// Words of a server, of a file and of its name.
  @Test func nothingForeignBecomesMarkup() throws {
    let evil = "<img src=x onerror=alert(1)>"
    let json = Reports.run(target: evil, schedule: evil, text: evil)
      .replacing("\"OK\":990", with: "\"OK\":990,\"\(evil)\":1")
      .replacing("\"name\":\"p99\"", with: "\"name\":\"\(evil)\"")
    let document = try LoadDocument(name: evil, json: json)
    for page in [
      ReportPage.html(document), ReportPage.html(try LoadComparison(document, document)),
    ] {
      #expect(!page.contains("<img") && page.contains("&lt;img src=x onerror=alert(1)&gt;"))
    }
  }

  @Test func nothingIsFetched() throws {
    let page = try page(Reports.sweep([100, 200]))
    for word in ["http://", "https://", "src=", "@import", "url("] {
      #expect(!page.contains(word), "\(word) in the page")
    }
    #expect(page.contains("default-src &#39;none&#39;"))
    #expect(page.split(separator: "<script").count == 2)
  }

  @Test func aBadRunSaysSo() throws {
    #expect(try page(Reports.run(fellBehind: true)).contains("Does not count"))
    let missed = Reports.run().replacing("\"ok\":true", with: "\"ok\":false")
    #expect(try page(missed).contains("SLO missed"))
  }
}

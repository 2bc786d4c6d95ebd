import Core
import Foundation

/// What `tools/bench` runs beside peers. Not for production: it takes few arguments and checks
/// only those.
@main
struct CrescendoBench {
  static let usage = """
    usage: crescendo-bench serve PORT            one loop; answers Score with a hash per item
           crescendo-bench walk MODEL ROWS BATCH SECONDS
                                                 walks float64 rows; prints ns per row and a digest
    """

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      switch (arguments.first, arguments.count) {
      case ("serve", 2):
        guard let port = UInt16(arguments[1]) else { break }
        try HashServer.run(port: port)
        return
      case ("walk", 5):
        guard let batch = Int(arguments[3]), let seconds = Double(arguments[4]), batch > 0 else {
          break
        }
        try WalkBenchmark.run(
          model: arguments[1], rows: arguments[2], batch: batch, seconds: seconds)
        return
      default: break
      }
    } catch {
      FileHandle.standardError.write(Data("crescendo-bench: \(error)\n".utf8))
      exit(1)
    }
    FileHandle.standardError.write(Data((usage + "\n").utf8))
    exit(2)
  }
}

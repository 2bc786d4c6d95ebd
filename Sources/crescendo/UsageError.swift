/// Why a value on the command line is not one: the parser names the option and adds this.
struct UsageError: Error, Equatable, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }
}

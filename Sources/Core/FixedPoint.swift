/// `value` with `places` digits after the point; at most 12.
package func fixed(_ value: Double, _ places: Int) -> String {
  guard value.isFinite else { return "Infinity" }
  var scale: UInt64 = 1
  for _ in 0..<places { scale *= 10 }
  let magnitude = abs(value)
  guard magnitude < 1e18 / Double(scale) else { return "\(value)" }
  let scaled = UInt64((magnitude * Double(scale)).rounded())
  let sign = value < 0 && scaled > 0 ? "-" : ""
  guard places > 0 else { return "\(sign)\(scaled)" }
  let digits = "\(scaled % scale)"
  return "\(sign)\(scaled / scale)." + String(repeating: "0", count: places - digits.count) + digits
}

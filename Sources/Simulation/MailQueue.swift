/// Messages from thread to thread, in their order.
struct MailQueue<Message> {
  private var messages: [Message] = []
  private var first = 0

  var count: Int { messages.count - first }
  var isEmpty: Bool { first == messages.count }

  mutating func append(_ message: Message) { messages.append(message) }

  mutating func next() -> Message? {
    guard first < messages.count else { return nil }
    defer {
      first += 1
      if first == messages.count {
        messages.removeAll(keepingCapacity: true)
        first = 0
      }
    }
    return messages[first]
  }
}

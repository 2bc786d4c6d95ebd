@main struct Crescendo { static func main() {} }

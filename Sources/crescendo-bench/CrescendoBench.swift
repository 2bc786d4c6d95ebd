@main struct CrescendoBench { static func main() {} }

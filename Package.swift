// swift-tools-version: 6.2
// The dependency graph is the architecture: `Sources/README.md` says what lives on which floor,
// and `Tests/TidyTests` fails when a target imports upwards.
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

func swift(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let flyingFox: [Target.Dependency] = [
  .product(name: "FlyingFox", package: "FlyingFox"),
  .product(name: "FlyingSocks", package: "FlyingFox"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let metricsTestKit: Target.Dependency = .product(
  name: "MetricsTestKit", package: "swift-metrics")

let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
  name: "crescendo",
  products: [
    .library(name: "Client", targets: ["Client"]),
    .executable(name: "crescendo", targets: ["crescendo"]),
    .executable(name: "crescendo-bench", targets: ["crescendo-bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", exact: "0.27.1"),
  ],
  targets: [
    // Floor 0: C libraries behind their fences, and values without behaviour.
    .systemLibrary(
      name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    .systemLibrary(
      name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CCrescendoProto", dependencies: ["CProtobufC"]),
    .target(name: "CLinux"),
    .target(name: "CKernels"),
    swift("Core", []),

    // Floor 1: one subject each.
    swift("Syscalls", ["CLinux", "Core"]),
    swift("Crypto", ["COpenSSL", "Core"]),
    swift("Report", ["Core"]),
    swift("Campaigns", ["CKernels", "Core", yams]),
    swift("Ledger", ["Core"]),
    swift("Models", ["CKernels", "Core"]),
    swift("Policies", ["Core"]),
    swift("Signals", ["CKernels", "Core"], exclude: ["FORMAT.md"]),
    swift("HTTP2", ["CNghttp2", "Core"]),
    swift("Wire", ["CCrescendoProto", "CKernels", "CProtobufC", "CZlib", "Core"]),

    // Floor 2: threads and the parts that meet in a request.
    swift("EventLoop", ["Syscalls", "Core"]),
    swift("Executors", ["Syscalls", "Core"]),
    swift("Engine", ["Models", "Signals", "CKernels", "Core"]),
    swift("SQLiteStorage", ["CSQLite", "Ledger", "Core"]),

    swift("Allocation", ["Campaigns", "Ledger", "Core"]),

    // Floor 3
    swift("Simulation", ["Allocation", "Campaigns", "Ledger", "Core"]),
    swift("Transport", ["HTTP2", "EventLoop", "Syscalls", "Wire", "Core"]),

    // Floor 4
    swift(
      "Server",
      [
        "Transport", "Engine", "Wire", "EventLoop", "Signals", "Models", "Allocation",
        "Campaigns", "Ledger", "Executors", "Crypto", "Syscalls", "Core", logging,
      ] + flyingFox),
    swift(
      "Client", ["HTTP2", "EventLoop", "Wire", "Policies", "Syscalls", "Core", metrics]),

    // Floor 5
    swift("Load", ["Client", "HTTP2", "Wire", "Syscalls", "Core", histogram]),

    // Floor 6: the executables.
    .executableTarget(
      name: "crescendo",
      dependencies: [
        "Load", "Server", "Client", "Transport", "Engine", "Executors", "EventLoop", "Signals",
        "Models", "Allocation", "Campaigns", "Ledger", "SQLiteStorage", "Crypto", "Report", "Wire",
        "Syscalls", "Core", argumentParser, logging, yams,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "crescendo-bench",
      dependencies: [
        "Client", "Simulation", "Transport", "EventLoop", "Wire", "Models", "Syscalls", "Core",
      ], swiftSettings: strict),

    tests("CoreTests", ["Core"]),
    tests("SyscallsTests", ["Syscalls", "Core"]),
    tests("CryptoTests", ["Crypto", "Core"]),
    tests("ReportTests", ["Report", "Core"]),
    tests("SimulationTests", ["Simulation", "Ledger", "Core"]),
    tests("AllocationTests", ["Allocation", "Campaigns", "Ledger", "Core"]),
    tests("CampaignsTests", ["Campaigns", "Core"]),
    tests("LedgerTests", ["Ledger", "Core"]),
    tests("SQLiteStorageTests", ["SQLiteStorage", "CSQLite", "Ledger", "Core"]),
    tests("ModelsTests", ["Models", "Core"], exclude: ["conformance"]),
    tests("PoliciesTests", ["Policies", "Core"]),
    tests(
      "SignalsTests", ["Signals", "Syscalls", "Crypto", "CKernels", "Core"],
      exclude: ["write_snapshot.py"]),
    tests("HTTP2Tests", ["HTTP2", "CNghttp2", "Core"]),
    tests("WireTests", ["Wire", "CCrescendoProto", "CKernels", "CProtobufC", "Core"]),
    tests("EventLoopTests", ["EventLoop", "Syscalls", "Core"]),
    tests("ExecutorsTests", ["Executors", "Core"]),
    tests(
      "EngineTests",
      ["Engine", "Executors", "Models", "Signals", "CKernels", "Syscalls", "Core"]),
    tests("TransportTests", ["Transport", "HTTP2", "EventLoop", "Syscalls", "Wire", "Core"]),
    tests(
      "ClientTests",
      ["Client", "HTTP2", "EventLoop", "Wire", "Syscalls", "Core", metricsTestKit]),
    tests(
      "ServerTests",
      [
        "Server", "Client", "Transport", "Allocation", "Engine", "Executors", "EventLoop",
        "Campaigns", "Ledger", "Signals", "Wire", "Syscalls", "Core", logging,
      ]),
    tests("LoadTests", ["Load", "Client", "HTTP2", "Wire", "Syscalls", "Core"]),
    tests(
      "CLITests",
      [
        "crescendo", "Load", "Client", "Engine", "Report", "Wire", "Syscalls", "Core",
        argumentParser, logging,
      ]),
    tests("TidyTests", []),
  ],
  swiftLanguageModes: [.v6]
)

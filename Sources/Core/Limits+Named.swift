extension Limits {
  /// Every bound with its name and value, for those who show them: the formats' and those that
  /// this process serves by. `LimitsNamedTests` finds one that is missing.
  package static var named: [(name: String, value: Double)] {
    formats + ServingLimits.settings.map { ($0.name, Double($0.read(serving))) }
  }

  private static let formats: [(name: String, value: Double)] = [
    ("requestIDBytes", Double(requestIDBytes)),
    ("statusMessageBytes", Double(statusMessageBytes)),
    ("messageDepth", Double(messageDepth)),
    ("statusDetailBytes", Double(statusDetailBytes)),
    ("fieldPathBytes", Double(fieldPathBytes)),
    ("sessionHelloBytes", Double(sessionHelloBytes)),
    ("sessionFrameBytesLeast", Double(sessionFrameBytesLeast)),
    ("sessionFrameRoomBytes", Double(sessionFrameRoomBytes)),
    ("sessionMetadataBytes", Double(sessionMetadataBytes)),
    ("sessionIdleFrames", Double(sessionIdleFrames)),
    ("sessionIdleFramesPerSecond", Double(sessionIdleFramesPerSecond)),
    ("sessionErrorNanoseconds", Double(sessionErrorNanoseconds)),
    ("sweepRates", Double(sweepRates)),
    ("reportIntervals", Double(reportIntervals)),
    ("reportLevels", Double(reportLevels)),
    ("reportNames", Double(reportNames)),
    ("reportBytes", Double(reportBytes)),
    ("modelFileBytes", Double(modelFileBytes)),
    ("features", Double(features)),
    ("manifestBytes", Double(manifestBytes)),
    ("tensorHeaderBytes", Double(tensorHeaderBytes)),
    ("tensorFileBytes", Double(tensorFileBytes)),
    ("tensors", Double(tensors)),
    ("embeddingDimension", Double(embeddingDimension)),
    ("int8EmbeddingDimension", Double(int8EmbeddingDimension)),
    ("tableRows", Double(tableRows)),
    ("indexProbes", Double(indexProbes)),
    ("snapshotFiles", Double(snapshotFiles)),
    ("models", Double(models)),
    ("requestColumns", Double(requestColumns)),
    ("categories", Double(categories)),
    ("categoryLevels", Double(categoryLevels)),
    ("nameBytes", Double(nameBytes)),
    ("sourceDepth", Double(sourceDepth)),
    ("jsonDepth", Double(jsonDepth)),
    ("jsonTokens", Double(jsonTokens)),
  ]
}

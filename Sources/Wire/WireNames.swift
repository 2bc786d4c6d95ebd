/// Names of the services and paths of the methods, as in `:path`.
package enum WireNames {
  package static let scoreService = "crescendo.v1.PromotionScoreService"
  package static let healthService = "grpc.health.v1.Health"

  package static let scorePath: StaticString = "/crescendo.v1.PromotionScoreService/Score"
  package static let streamScoresPath: StaticString =
    "/crescendo.v1.PromotionScoreService/StreamScores"
  package static let scoreManyPath: StaticString = "/crescendo.v1.PromotionScoreService/ScoreMany"
  package static let sessionPath: StaticString = "/crescendo.v1.Session/Open"
  package static let healthCheckPath: StaticString = "/grpc.health.v1.Health/Check"
  package static let healthWatchPath: StaticString = "/grpc.health.v1.Health/Watch"
}

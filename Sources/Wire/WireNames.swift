/// Names of the services and paths of the methods, as in `:path`.
package enum WireNames {
  package static let scoreService = "crescendo.v1.PromotionScoreService"
  package static let allocationService = "crescendo.v1.PromotionAllocationService"
  package static let deliveryService = "crescendo.v1.PromotionDeliveryService"
  package static let campaignService = "crescendo.v1.CampaignService"
  package static let healthService = "grpc.health.v1.Health"

  package static let scorePath: StaticString = "/crescendo.v1.PromotionScoreService/Score"
  package static let streamScoresPath: StaticString =
    "/crescendo.v1.PromotionScoreService/StreamScores"
  package static let scoreManyPath: StaticString = "/crescendo.v1.PromotionScoreService/ScoreMany"
  package static let sessionPath: StaticString = "/crescendo.v1.Session/Open"
  package static let allocatePath: StaticString =
    "/crescendo.v1.PromotionAllocationService/Allocate"
  package static let releasePath: StaticString = "/crescendo.v1.PromotionAllocationService/Release"
  package static let reportExposuresPath: StaticString =
    "/crescendo.v1.PromotionDeliveryService/ReportExposures"
  package static let applyCampaignsPath: StaticString =
    "/crescendo.v1.CampaignService/ApplyCampaigns"
  package static let getCampaignPath: StaticString = "/crescendo.v1.CampaignService/GetCampaign"
  package static let listCampaignsPath: StaticString =
    "/crescendo.v1.CampaignService/ListCampaigns"
  package static let pauseCampaignPath: StaticString =
    "/crescendo.v1.CampaignService/PauseCampaign"
  package static let diagnoseCampaignPath: StaticString =
    "/crescendo.v1.CampaignService/DiagnoseCampaign"
  package static let healthCheckPath: StaticString = "/grpc.health.v1.Health/Check"
  package static let healthWatchPath: StaticString = "/grpc.health.v1.Health/Watch"
}

import ArgumentParser

struct CampaignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "campaign", abstract: "Look after campaigns.",
    subcommands: [
      CampaignApplyCommand.self, CampaignListCommand.self, CampaignShowCommand.self,
      CampaignPauseCommand.self, CampaignResumeCommand.self, CampaignDiagnoseCommand.self,
    ])
}

"""System settings that some version of DHIS2 has, by name: one that none has is a slip, one that only others have is not.

Names as servers of 2.40 to 2.44 list them (recorded `system-info`, `inst-settings`), and those that none lists.
"""

from __future__ import annotations

KNOWN = frozenset({
    "accountExpiresInDays", "accountExpiryAlert", "analyticsFinancialYearStart", "analyticsWeeklyStart",
    "applicationTitle", "autoVerifyInvitedUserEmail", "credentialsExpires", "credentialsExpiresReminderInDays",
    "credentialsExpiryAlert", "dataEntryAutoGroup", "deviceEnrollmentAllowedUserGroups",
    "deviceEnrollmentIATTtlSeconds", "deviceEnrollmentRedirectAllowlist", "enforceVerifiedEmail",
    "experimentalAnalyticsSqlEngineEnabled", "factorDeviation", "globalShellAppName", "globalShellEnabled",
    "googleAnalyticsUA", "helpPageLink", "jobsCleanupAfterMinutes", "jobsLogDebugBelowSeconds",
    "jobsMaxCronDelayHours", "jobsRescheduleAfterMinutes", "keyAcceptanceRequiredForApproval",
    "keyAccountRecovery", "keyAllowObjectAssignment", "keyAnalysisDigitGroupSeparator",
    "keyAnalysisDisplayProperty", "keyAnalysisRelativePeriod", "keyAnalyticsCacheProgressiveTtlFactor",
    "keyAnalyticsCacheTtlMode", "keyAnalyticsDownloadCombinationLimit", "keyAnalyticsMaxLimit",
    "keyAnalyticsPeriodYearsOffset", "keyApplicationFooter", "keyApplicationIntro", "keyApplicationNotification",
    "keyApplicationRightFooter", "keyAzureMapsApiKey", "keyBingMapsApiKey", "keyCacheability", "keyCacheStrategy",
    "keyCalendar", "keyCanGrantOwnUserAuthorityGroups", "keyCountPassiveDashboardViewsInUsageAnalytics",
    "keyCurrentDomainType", "keyCustomColor", "keyCustomColorMobile", "keyCustomCss", "keyCustomJs",
    "keyCustomLoginPageLogo", "keyCustomTopMenuLogo", "keyCustomTranslationsEnabled",
    "keyDashboardContextMenuItemOpenInRelevantApp", "keyDashboardContextMenuItemShowInterpretationsAndDetails",
    "keyDashboardContextMenuItemSwitchViewType", "keyDashboardContextMenuItemViewFullscreen",
    "keyDatabaseServerCpus", "keyDataImportRequireAttributeOptionCombo",
    "keyDataImportRequireCategoryOptionCombo", "keyDataImportStrictAttributeOptionCombos",
    "keyDataImportStrictCategoryOptionCombos", "keyDataImportStrictDataElements",
    "keyDataImportStrictDataSetApproval", "keyDataImportStrictDataSetInputPeriods",
    "keyDataImportStrictDataSetLocking", "keyDataImportStrictOrganisationUnits", "keyDataImportStrictPeriods",
    "keyDataQualityMaxLimit", "keyDateFormat", "keyDbLocale", "keyDefaultBaseMap", "keyEmailHostName",
    "keyEmailPassword", "keyEmailPort", "keyEmailSender", "keyEmailTls", "keyEmailUsername",
    "keyEmbeddedDashboardsEnabled", "keyFileResourceRetentionStrategy", "keyFlag", "keyFlagImage",
    "keyGatherAnalyticalObjectStatisticsInDashboardViews", "keyGoogleMapsApiKey", "keyHideBiMonthlyPeriods",
    "keyHideBiWeeklyPeriods", "keyHideDailyPeriods", "keyHideMonthlyPeriods", "keyHideWeeklyPeriods",
    "keyHtmlPushAnalyticsUrl", "keyIgnoreAnalyticsApprovalYearThreshold", "keyIncludeZeroValuesInAnalytics",
    "keyLastCompleteDataSetRegistrationSyncSuccess", "keyLastMetaDataSyncSuccess", "keyLastMonitoringRun",
    "keyLastSuccessfulAnalyticsTablesRuntime", "keyLastSuccessfulAnalyticsTablesUpdate",
    "keyLastSuccessfulDataSynch", "keyLastSuccessfulEventsDataSynch",
    "keyLastSuccessfulLatestAnalyticsPartitionRuntime", "keyLastSuccessfulLatestAnalyticsPartitionUpdate",
    "keyLastSuccessfulMonitoring", "keyLastSuccessfulResourceTablesUpdate",
    "keyLastSuccessfulScheduledDataSetNotifications", "keyLastSuccessfulScheduledProgramNotifications",
    "keyLastSuccessfulSystemMonitoringPush", "keyLockMultipleFailedLogins", "keyMetadataFailedVersion",
    "keyMetadataLastFailedTime", "keyMetaDataRepoUrl", "keyNextAnalyticsTableUpdate",
    "keyParallelJobsInAnalyticsTableExport", "keyRemoteInstancePassword", "keyRemoteInstanceUrl",
    "keyRemoteInstanceUsername", "keyRemoteMetadataVersion", "keyRequireAddToView",
    "keyRespectMetaDataStartEndDatesInAnalyticsTableExport", "keySelfRegistrationNoRecaptcha",
    "keySkipDataTypeValidationInAnalyticsTableExport", "keySmsMaxLength", "keySmsSetting", "keySqlViewMaxLimit",
    "keyStopMetadataSync", "keyStyle", "keySystemMetadataVersion", "keySystemNotificationsEmail",
    "KeyTrackedEntityInstanceMaxLimit", "KeyTrackedEntityMaxLimit", "keyTrackerDashboardLayout", "keyUiLocale",
    "keyUseCustomLogoBanner", "keyUseCustomLogoFront", "keyVersionEnabled", "lastSuccessfulDataStatistics",
    "loginPageLayout", "loginPageTemplate", "loginPopup", "maxPasswordLength", "minPasswordLength",
    "multiOrganisationUnitForms", "notifierCleanAfterIdleTime", "notifierGistOverview", "notifierLogLevel",
    "notifierMaxAgeDays", "notifierMaxJobsPerType", "notifierMaxMessagesPerJob",
    "orgUnitCentroidsInEventsAnalytics", "phoneNumberAreaCode", "recaptchaSecret", "ruleEngineAssignOverwrite",
    "startModule", "startModuleEnableLightweight", "syncDelayBetweenRemoteServerAvailabilityCheckAttempts",
    "syncMaxAttempts", "syncMaxRemoteServerAvailabilityCheckAttempts", "syncSkipSyncForDataChangedBefore",
})  # fmt: skip
"""Every setting of 2.40 to 2.44."""
NO_DEFAULT = frozenset({
    "googleAnalyticsUA", "keyApplicationFooter", "keyApplicationIntro", "keyApplicationNotification",
    "keyApplicationRightFooter", "keyCurrentDomainType", "keyCustomCss", "keyCustomJs", "keyDbLocale",
    "keyDefaultBaseMap", "keyEmailHostName", "keyEmailUsername", "keyFlagImage", "keySystemNotificationsEmail",
    "keyTrackerDashboardLayout", "loginPageTemplate", "phoneNumberAreaCode",
})  # fmt: skip
"""Texts that have no default up to 2.41, which lists a setting only when it has a value; what else is in no list, it does not
have (`SettingKey.java`: without a default value)."""

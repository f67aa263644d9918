"""Fields that others document: they are no news when they come. Of answers, those of which nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping

_OF_ANSWERS = {
    "AWS": """
        Attributes DimensionValueAttributes End Estimated ResponseMetadata Total
    """,
    "Anthropic": """
        actor_type agent_id allowed_inference_geos amount archived_at claude_tag_category claude_tag_user_id
        compartment_id context_window cost_type created_at created_by currency data_refreshed_at
        data_residency deleted deployment_id display_color ending_at endpoint_url environment_id expires_at
        external_key_id first_id header_names id inference_geo is_enabled list_amount model organization
        organization_id partial_key_hint principal product provider rbac_group_id requests scope
        service_tier session_id slack_channel_id source speed spend_limit_id status tags token_type
        total_tokens type updated_at user_profile_id workspace_id
    """,
    "Azure": """
        type
    """,
    "CloudWatch": """
        Code Messages ResponseMetadata Value
    """,
    "Cursor": """
        cursorTokenFee fastPremiumRequests hasPreviousPage isChargeable isHeadless isTokenBasedCall maxMode
        numPages overallSpendCents pageSize profilePictureUrl requestsCosts role subscriptionCycleStart
        tokenUsage totalMembers totalUsageEventsCount
    """,
    "DeepInfra": """
        balance_type email_verified initial_month last_checked suspend_reason
    """,
    "DeepSeek": """
        granted_balance is_available topped_up_balance
    """,
    "Fireworks": """
        bucketStartTime groupingKey quantity series
    """,
    "GitHub": """
        costCenter cost_center date day discountAmount discountQuantity enterprise grossAmount grossQuantity
        model month netQuantity organization organizationName pricePerUnit product repositoryName timePeriod
        unitType user year
    """,
    "Helicone": """
        ai_gateway_body_mapping asset_ids asset_urls assets cache_enabled completion_audio_tokens costUSD
        country_code feedback_created_at feedback_id feedback_rating helicone_user llmSchema model_override
        prompt_audio_tokens prompt_id prompt_version request_path request_properties request_referrer
        response_created_at response_id response_model scores signed_body_url size_bytes storage_location
        target_url total_tokens
    """,
    "LiteLLM": """
        aliases allowed_cache_controls allowed_routes api_requests blocked budget_id budget_limits
        budget_limits_usage cache_creation_input_tokens cache_read_input_tokens completion_tokens config
        created_by endpoints entities expires failed_requests flat_cost guardrails key_exists last_active
        max_parallel_requests mcp_servers metadata model_groups models object_permission permissions
        prompt_tokens providers ptu_hours rotation_count rpm_limit soft_budget_cooldown spend
        successful_requests team_id teams timed_requests token total_api_requests
        total_cache_creation_input_tokens total_cache_read_input_tokens total_completion_tokens
        total_failed_requests total_flat_cost total_pages total_prompt_tokens total_ptu_hours
        total_response_time_ms total_spend total_successful_requests total_tokens tpm_limit updated_by
        user_id
    """,
    "Moonshot": """
        cash_balance code scode status voucher_balance
    """,
    "Novita": """
        cashBalance creditLimit outstandingInvoices pendingCharges
    """,
    "OpenAI": """
        added_at api_source archived_at batch context_level created_at email end_time expires_at first_id id
        input_audio_tokens input_cache_write_12h_tokens input_cache_write_30m_tokens
        input_cache_write_tokens input_cached_audio_tokens input_cached_image_tokens
        input_cached_text_tokens input_cached_tokens input_image_tokens input_text_tokens
        input_uncached_tokens last_used_at name notification_channel num_model_requests object
        organization_id organization_name output_audio_tokens output_image_tokens output_text_tokens owner
        owner_project_access project_name quantity quantity_unit redacted_value role service_tier size
        source start_time_iso status user_email vector_store_id
    """,
    "OpenRouter": """
        allowed_data_regions api_type app_id broadcast_generation_identity byok_usage byok_usage_daily
        byok_usage_inference byok_usage_monthly byok_usage_weekly cache_discount cached_tokens cancelled
        created_at creator_user_id data_region disabled endpoint_id expires_at external_user finish_reason
        free_model_daily_requests generation_time guardrail_id include_byok include_byok_in_budgets
        include_byok_in_limit is_byok is_free_tier last_used_at latency limit limit_remaining limit_reset
        model model_permaslug native_finish_reason native_tokens_completion_images num_search_results
        organization_id origin provider provider_name provider_responses rate_limit reasoning_tokens regions
        remaining_usd request_id response_cache_source_id service_tier session_id streamed tokens_completion
        tokens_prompt total_count updated_at upstream_id upstream_inference_cost usage usage_daily
        usage_monthly usage_weekly workspace_id
    """,
    "SiliconFlow": """
        balance chargeBalance code status
    """,
    "xAI": """
        changes groupLabels
    """,
}

_OF_PUSHES = {
    "litellm": """
        api_base applied_guardrails autorouter_baseline_observation autorouter_savings
        autorouter_savings_estimate cache_key classifier_audit cold_storage_object_key
        error_budget_entity_id error_budget_entity_type error_budget_limit error_budget_spend error_message
        error_provider_request_id error_rate_limit_category error_rate_limit_type guardrail_information
        hidden_params llm_provider mcp_tool_call_metadata model_group model_id model_map_information
        normalized_error prompt_management_metadata request_model_access_groups requester_custom_headers
        requester_ip_address response_cost_failure_debug_info routing_decision saved_cache_cost
        spend_logs_metadata standard_built_in_tools_params status_fields team_alias team_id total_tokens
        traceback used_client_oauth_token user_agent user_api_key_auth_metadata
        user_api_key_budget_reset_at user_api_key_hash user_api_key_max_budget user_api_key_org_alias
        user_api_key_org_id user_api_key_project_alias user_api_key_project_id
        user_api_key_request_route user_api_key_spend user_api_key_team_id user_api_key_team_max_budget
        user_api_key_team_spend user_api_key_user_email user_api_key_user_max_budget
        user_api_key_user_spend vector_store_request_metadata zero_cost_diagnostic
    """,
    "anthropic-push": """
        anthropic.content.truncated anthropic.message.count_tokens.input_tokens
        anthropic.message.stop_reason anthropic.organization.id anthropic.request.id
        anthropic.response.service_tier anthropic.session.id anthropic.session.turn.stop_reason
        anthropic.workspace.id gen_ai.agent.id gen_ai.agent.name gen_ai.input.messages gen_ai.operation.name
        gen_ai.output.messages gen_ai.output.type gen_ai.request.max_tokens gen_ai.request.stop_sequences
        gen_ai.request.stream gen_ai.request.temperature gen_ai.request.top_k gen_ai.request.top_p
        gen_ai.response.finish_reasons gen_ai.system_instructions gen_ai.tool.call.arguments
        gen_ai.tool.call.id gen_ai.tool.call.result gen_ai.tool.definitions gen_ai.tool.name
        gen_ai.tool.type http.request.method http.route url.path url.scheme user_agent.original
    """,
    "openrouter-push": """
        gen_ai.completion gen_ai.operation.name gen_ai.prompt gen_ai.request.max_tokens
        gen_ai.request.temperature gen_ai.request.top_p gen_ai.response.finish_reason
        gen_ai.response.finish_reasons span.level span.metadata.attempt_index span.metadata.is_byok
        span.metadata.status_code span.status_message span.type trace.name trace.input trace.output trace.id
        span.input span.output
    """,
}
_OF_FILES = {
    "Langfuse": """
        id traceId projectId type startTime endTime completionStartTime parentObservationId name level
        statusMessage environment userId sessionId isRootObservation bookmarked public model internalModelId
        providedModelName modelId modelParameters usage usageDetails costDetails totalCost
        calculatedTotalCost calculatedInputCost calculatedOutputCost inputCost outputCost
        providedUsageDetails providedCostDetails usagePricingTierId usagePricingTierName latency
        timeToFirstToken metadata tags traceName release version input output unit inputPrice outputPrice
        totalPrice inputUsage outputUsage totalUsage promptTokens completionTokens totalTokens promptId
        promptName promptVersion createdAt updatedAt timestamp toolDefinitions toolCalls toolCallNames
        isDeleted eventTs
    """,
    "LiteLLM": """
        request_id litellm_call_id call_type api_key spend total_tokens prompt_tokens completion_tokens
        startTime endTime request_duration_ms completionStartTime model model_id model_group
        custom_llm_provider api_base user metadata cache_hit cache_key request_tags team_id organization_id
        end_user requester_ip_address session_id status messages response proxy_server_request
        mcp_namespaced_tool_name agent_id
    """,
    "Portkey": """
        id trace_id created_at ai_org ai_provider ai_model req_units res_units total_units cost
        cost_currency currency response_time response_status_code is_success cache_status mode metadata
        prompt_slug config request response span_id span_name parent_span_id workspace_slug api_key_id
        virtual_key prompt_id prompt_version_id endpoint
    """,
    "Cursor": """
        Date User Kind Model MaxMode InputWCacheWrite InputWOCacheWrite CacheRead OutputTokens TotalTokens
        Cost CloudAgentId AutomationId CostToYou
    """,
}

ANSWERS: Mapping[str, frozenset[str]] = {provider: frozenset(names.split()) for provider, names in _OF_ANSWERS.items()}
"""By provider, as pollers name it; wherever in an answer they are."""
PUSHES: Mapping[str, frozenset[str]] = {source: frozenset(names.split()) for source, names in _OF_PUSHES.items()}
"""Attributes of spans and fields of posts, by source."""
FILES: Mapping[str, frozenset[str]] = {tool: frozenset(names.split()) for tool, names in _OF_FILES.items()}
"""Columns, by the tool that wrote them."""

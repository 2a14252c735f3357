// Made by `npm run types` from the admin API's document. Do not edit.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        RolledBack: {
            generation: string;
            since_ms: number;
        };
        Status: {
            version: string;
            address: string;
            started: string;
            config_generation: number;
            rolled_back: components["schemas"]["RolledBack"] | null;
            ledger: {
                ok: boolean;
                problem: string;
                rows_written: number;
                rows_spooled: number;
                rows_dropped: number;
            };
        };
        Percentiles: {
            p50: number;
            p95: number;
            p99: number;
            count: number;
        };
        Overview: {
            now_ms: number;
            since_ms: number;
            until_ms: number;
            step_ms: number;
            exact: boolean;
            config_generation: number;
            ledger_ok: boolean;
            ledger_problem: string;
            totals: {
                requests: number;
                errors: number;
                denied: number;
                input_tokens: number;
                output_tokens: number;
                cost_usd: string;
                total_us: components["schemas"]["Percentiles"];
                ttft_us: components["schemas"]["Percentiles"];
            };
            series: {
                requests: number[];
                errors: number[];
                denied: number[];
                input_tokens: number[];
                output_tokens: number[];
                cost_nano_usd: number[];
                total_p50_us: (number | null)[];
                total_p95_us: (number | null)[];
                total_p99_us: (number | null)[];
                ttft_p50_us: (number | null)[];
                ttft_p95_us: (number | null)[];
                ttft_p99_us: (number | null)[];
            };
        };
        Deployment: {
            name: string;
            account: string;
            provider: string;
            model: string;
            priced_as: string;
            price_row: string;
            rates: unknown;
            weight: number;
            in_flight: number;
            open: boolean;
            parked_by: string;
            parked_ms: number;
        };
        Configured: {
            name: string;
            source: string;
            definition: unknown;
            sealed_under: string;
            created: string | null;
            changed: string | null;
        };
        Probe: {
            ok: boolean;
            status: number;
            failure: string;
            detail: string;
            models: string[];
            took_ms: number;
            request: string;
            input_tokens: number;
            output_tokens: number;
            cost_usd: string;
            cost_state: string;
        };
        Model: {
            name: string;
            fallbacks: string[];
            deployments: components["schemas"]["Deployment"][];
        };
        DeploymentTraffic: {
            name: string;
            priority: number;
            in_flight: number;
            parked_ms: number;
            weight: number;
            phase?: string;
            cause?: string;
            factors?: {
                base: number;
                health: number;
                warm_up: number;
                capacity: number;
                zone: number;
            };
            evidence?: number;
            latency_ratio?: number;
            held_back?: boolean;
            quota_left?: number | null;
            pinned?: components["schemas"]["Pin"] | null;
        };
        Pin: {
            share: number;
            until: string;
        };
        ModelTraffic: {
            name: string;
            detector: string;
            dry_run: boolean;
            deployments: components["schemas"]["DeploymentTraffic"][];
        };
        WeightChange: {
            number: number;
            time: string;
            model: string;
            deployment: string;
            from: number;
            to: number;
            dry_run: boolean;
            reason: string;
            cause: string;
            sentence: string;
        };
        Attempt: {
            d?: string;
            why?: string;
            s?: number;
            e?: string;
            ms?: number;
            abort?: string;
            said?: string;
            lost_race?: boolean;
            stale?: boolean;
        };
        Usage: {
            input: number;
            cache_read: number;
            cache_write_5m: number;
            cache_write_1h: number;
            input_audio: number;
            input_image: number;
            output: number;
            output_audio: number;
            output_image: number;
            reasoning: number;
            tool_calls: number;
            service_tier: string;
        };
        Row: {
            id: string;
            time: string;
            start_ms: number;
            key: string;
            team: string;
            project: string;
            user: string;
            tags: {
                [key: string]: string;
            };
            dialect: string;
            endpoint: string;
            model_asked: string;
            model: string;
            deployment: string;
            account: string;
            provider: string;
            provider_model: string;
            attempts: components["schemas"]["Attempt"][];
            status: number;
            outcome: string;
            error_code: string;
            streamed: boolean;
            total_us: number;
            ttft_us: number;
            upstream_us: number;
            usage: components["schemas"]["Usage"];
            cost_usd: string;
            cost_nano_usd: number;
            cost_state: string;
            list_cost_usd: string;
            price_row: string;
            rates: {
                [key: string]: number;
            };
            corrects: string;
            config_generation: number;
            bytes_in: number;
            bytes_out: number;
            captured: boolean;
            capture?: components["schemas"]["Capture"];
        };
        Capture: {
            request: string;
            request_content_type: string;
            request_bytes: number;
            response: string;
            response_content_type: string;
            response_bytes: number;
        };
        Sums: {
            group: string;
            then_group: string;
            requests: number;
            errors: number;
            aborted: number;
            denied: number;
            unpriced: number;
            estimated: number;
            input_tokens: number;
            cache_read_tokens: number;
            cache_write_tokens: number;
            output_tokens: number;
            reasoning_tokens: number;
            cost_usd: string;
            cost_nano_usd: number;
            total_us: number;
            ttft_us: number;
            ttft_count: number;
        };
        Anomaly: {
            type: string;
            created: string;
            kind: string;
            sentence: string;
            key_id: string;
            key: string;
            model: string;
            since: string;
            unit: string;
            now: string;
            usual: string;
            spent_usd: string;
            requests: number;
            errors: number;
        };
        Budget: {
            usd: string;
            per: string;
            days?: number;
            hard: boolean;
        };
        BudgetStanding: {
            subject: string;
            usd: string;
            per: string;
            days?: number;
            hard: boolean;
            spent_usd: string;
            reserved_usd: string;
        };
        Key: {
            id: string;
            name: string;
            masked: string;
            source: string;
            team: string;
            project: string;
            models: string[];
            capture: boolean;
            capture_refused?: boolean;
            addresses?: string[];
            endpoints?: string[];
            expires: string | null;
            created?: string | null;
            revoked?: string | null;
            limits?: components["schemas"]["Limits"];
            model_limits?: components["schemas"]["ModelLimits"][];
            user_limits?: components["schemas"]["Limits"];
            budgets?: components["schemas"]["Budget"][];
            priority?: string | null;
            owner?: string;
            tags?: {
                [key: string]: string;
            };
            key?: string;
        };
        Limits: {
            rpm: number | null;
            tpm: number | null;
            concurrency: number | null;
        };
        ModelLimits: {
            model: string;
            rpm: number | null;
            tpm: number | null;
            concurrency: number | null;
        };
        User: {
            id: string;
            name: string;
            kind: string;
            display: string;
            roles: string[];
            disabled: boolean;
            password: boolean;
            issuer: string;
            created: string | null;
            signed_in: string | null;
        };
        Token: {
            id: string;
            user: string;
            name: string;
            masked: string;
            roles: string[];
            created: string | null;
            expires: string | null;
            used: string | null;
            revoked: string | null;
            token?: string;
        };
        Me: {
            kind: string;
            name: string;
            user: components["schemas"]["User"] | null;
            roles: string[];
            permissions: string[];
            csrf: string | null;
            expires: string | null;
        };
        AuditRecord: {
            number: number;
            time: string;
            actor: string;
            actor_kind: string;
            address: string;
            action: string;
            object: string;
            status: number;
            before?: unknown;
            after?: unknown;
        };
        Job: {
            id: string;
            kind: string;
            title: string;
            state: string;
            done: number;
            total: number;
            unit: string;
            created_ms: number;
            started_ms: number;
            ended_ms: number;
            by: string;
            result: unknown;
            error: string;
            file: boolean;
            file_name: string;
        };
        Setting: {
            section: string;
            path: string;
            value: unknown;
            source: string;
            doc: string;
            secret: boolean;
            restart: boolean;
        };
        SettingChange: {
            path: string;
            before: unknown;
            after: unknown;
            change: string;
            secret: boolean;
            restart: boolean;
        };
        SettingsProblem: {
            severity: string;
            code: string;
            line: number;
            column: number;
            path: string;
            message: string;
        };
        Generation: {
            id: string;
            time_ms: number;
            by: string;
            why: string;
            changes: number;
            kept: boolean;
            running: boolean;
        };
        DriftPart: {
            kind: string;
            tokens: number;
            cost_usd: string;
        };
        Drift: {
            day: string;
            provider: string;
            model: string;
            provisional: boolean;
            ledger_tokens: number;
            provider_tokens: number;
            ledger_cost_usd: string;
            provider_cost_usd: string;
            parts: components["schemas"]["DriftPart"][];
            explained: boolean;
            drift: boolean;
            run: string;
            time_ms: number;
        };
        ReconcileRun: {
            id: string;
            time_ms: number;
            by: string;
            source: string;
            files: string;
            from: string;
            to: string;
            lines: number;
            left_out: {
                [key: string]: number;
            };
        };
        HealthProblem: {
            severity: string;
            what: string;
            message: string;
            todo: string;
            time_ms: number;
        };
        HealthThread: {
            name: string;
            count: number;
            ok: boolean;
            state: string;
        };
        HealthItem: {
            name: string;
            kind: string;
            unit: string;
            length: number | null;
            limit: number | null;
            dropped: number;
        };
        Health: {
            ok: boolean;
            problems: components["schemas"]["HealthProblem"][];
            store: {
                writable: boolean;
                problem: string;
                free_bytes: number;
                total_bytes: number;
                rows_written: number;
                rows_spooled: number;
                rows_dropped: number;
                rows_recovered: number;
                errors: number;
                last_commit_ms: number;
            };
            threads: components["schemas"]["HealthThread"][];
            items: components["schemas"]["HealthItem"][];
        };
        RoleRow: {
            name: string;
            permissions: string[];
        };
        Error: {
            error: {
                code: string;
                message: string;
            };
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

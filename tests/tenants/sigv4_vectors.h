/* Made by make_sigv4_vectors.py: requests as AWS's own client signs them. */
/* clang-format off */
static const struct vector vectors_made[] = {
    {.name = "list_functions", .method = "GET",
     .path = "/2015-03-31/functions",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=3fa6061758cdddce3c4130c84f3ddae34e2ecfbb305cf97"
          "74b269efe6c6e28f6"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2015-03-31/functions\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "list_functions", .method = "GET",
     .path = "/2015-03-31/functions",
     .query = "MaxItems=3&Marker=a%2Bb%2Fc%3D%3D&FunctionVersion=ALL",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=020e591cda9c4f929f6919b5f4d5191c9e23c44fada900b"
          "df26dbf6da19d8de2"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2015-03-31/functions\n"
         "FunctionVersion=ALL&Marker=a%2Bb%2Fc%3D%3D&MaxItems=3\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "get_function", .method = "GET",
     .path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1234"
            "56789012%3Afunction%3Af%3A%24LATEST",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=80bc3c54aeeab2954884a941bd78eed0f537e8f5d37a8c4"
          "24fc20bfdd34abfe5"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2015-03-31/functions/arn%253Aaws%253Alambda%253Aus-east-1%"
         "253A123456789012%253Afunction%253Af%253A%2524LATEST\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "get_function", .method = "GET",
     .path = "/2015-03-31/functions/f",
     .query = "Qualifier=%24LATEST",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=ff8514b033d734be353ad711030dfa59f15c62030c03406"
          "809fa211bf75a2e9e"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2015-03-31/functions/f\n"
         "Qualifier=%24LATEST\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "delete_function", .method = "DELETE",
     .path = "/2015-03-31/functions/123456789012%3Afunction%3Af",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=7bbdc2e193afd703f85e4d73be338a65e7f7ee7a6305e9b"
          "3a807e006eb925895"},
         {"content-length", "0"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "DELETE\n"
         "/2015-03-31/functions/123456789012%253Afunction%253Af\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "create_function", .method = "POST",
     .path = "/2015-03-31/functions",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=39fdb44cd34bc99b64e497cca50622bd10"
          "3733953b2fa9b5095eaffb351a8b4e"},
         {"content-length", "140"},
     },
     .body = "{\"FunctionName\": \"f\", \"Role\": \"arn:aws:iam::12345678"
            "9012:role/r\", \"Runtime\": \"provided.al2023\", \"Handler\""
            ": \"h\", \"Code\": {\"ZipFile\": \"YWJj\"}}",
     .body_len = 140, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2015-03-31/functions\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "0c57cfbfa421a32fe02eacde9d69d944e3ebf983d2003e2fb125a7b53da"
         "2d14c"},
    {.name = "update_function_configuration", .method = "PUT",
     .path = "/2015-03-31/functions/f/configuration",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=ea12191001f3c36a8c75fbdd93f6a82c5e"
          "810a6585fac9e0d274c4aaf4def672"},
         {"content-length", "39"},
     },
     .body = "{\"Description\": \"\\u00e9 \\u4e16 \\u2603\"}",
     .body_len = 39, .is_admitted = true,
     .canonical =
         "PUT\n"
         "/2015-03-31/functions/f/configuration\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "543b87738c2e6d32856c84793d17ac28a280c45b8081d1a4b2becd51618"
         "a5505"},
    {.name = "update_function_code", .method = "PUT",
     .path = "/2015-03-31/functions/f/code",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=775595aed46293c674ce4e8ddafe05877b"
          "da89c15d521375260ba9fa1c46814f"},
         {"content-length", "151"},
     },
     .body = "{\"ZipFile\": \"AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8"
            "A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/w"
            "D/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/w==\"}",
     .body_len = 151, .is_admitted = true,
     .canonical =
         "PUT\n"
         "/2015-03-31/functions/f/code\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "8d59295199e9d8acd91a909facfde03b412c1aceaab47d76c8f62596220"
         "01bd6"},
    {.name = "invoke", .method = "POST",
     .path = "/2015-03-31/functions/f%3A%24LATEST/invocations",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=2e5a144c4942e967716bfd193d5e670811096c969a95b9f"
          "eae8bd233fb134118"},
         {"content-length", "7"},
     },
     .body = "{\"a\":1}",
     .body_len = 7, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2015-03-31/functions/f%253A%2524LATEST/invocations\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a9"
         "7f862"},
    {.name = "invoke", .method = "POST",
     .path = "/2015-03-31/functions/f/invocations",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-invocation-type", "Event"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ";x-amz-invocation-type, Signature=7098dbb291203392f700ee007"
          "4c4455f14f238c117a014ce3ecf9b2690c95b23"},
         {"content-length", "0"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2015-03-31/functions/f/invocations\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "x-amz-invocation-type:Event\n"
         "\n"
         "host;x-amz-date;x-amz-invocation-type\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "invoke", .method = "POST",
     .path = "/2015-03-31/functions/f/invocations",
     .query = "Qualifier=7",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-log-type", "Tail"},
         {"x-amz-client-context", "eyJhIjoxfQ=="},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-clie"
          "nt-context;x-amz-date;x-amz-log-type, Signature=7ab558c7465"
          "69c3dd3771f0fb8b559733bb912d14fe32ee1264dcb951449089d"},
         {"content-length", "5"},
     },
     .body = "\303\274\344\270\226",
     .body_len = 5, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2015-03-31/functions/f/invocations\n"
         "Qualifier=7\n"
         "host:127.0.0.1:9100\n"
         "x-amz-client-context:eyJhIjoxfQ==\n"
         "x-amz-date:20261123T161536Z\n"
         "x-amz-log-type:Tail\n"
         "\n"
         "host;x-amz-client-context;x-amz-date;x-amz-log-type\n"
         "901fa5465d8437e61bc98626d3f11b99d847b8563d67de34af584d5bf41"
         "3ac6c"},
    {.name = "invoke_with_response_stream", .method = "POST",
     .path = "/2021-11-15/functions/f/response-streaming-invocations",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=8514e1f558c93407a9a91b6968cb2f1b1633f4df1b2c839"
          "3b8d500e5f74b9a69"},
         {"content-length", "2"},
     },
     .body = "[]",
     .body_len = 2, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2021-11-15/functions/f/response-streaming-invocations\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f1116120"
         "2b945"},
    {.name = "invoke_async", .method = "POST",
     .path = "/2014-11-13/functions/f/invoke-async",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=53938be27bc2ba8fe7fff15fe198c4b0151e402a3e9391f"
          "b98e32391b0c7d34e"},
         {"content-length", "2"},
     },
     .body = "{}",
     .body_len = 2, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2014-11-13/functions/f/invoke-async\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61ca"
         "aff8a"},
    {.name = "tag_resource", .method = "POST",
     .path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789"
            "012%3Afunction%3Af",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=ca012547ec04880775ad23594756db5f21"
          "4d27250940855cbcb570b7800524a8"},
         {"content-length", "32"},
     },
     .body = "{\"Tags\": {\"k e y\": \"v/a=l&u\077e\"}}",
     .body_len = 32, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2017-03-31/tags/arn%253Aaws%253Alambda%253Aus-east-1%253A1"
         "23456789012%253Afunction%253Af\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "27e3eea0c93100fde246f34260bad678700ea7f7aaba332ccd6ba77d88c"
         "e7e33"},
    {.name = "untag_resource", .method = "DELETE",
     .path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789"
            "012%3Afunction%3Af",
     .query = "tagKeys=b&tagKeys=a&tagKeys=a%20b&tagKeys=a%2Fb&tagKeys=%C3"
            "%BC&tagKeys=~-._%2A",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=a01dc10ee2a4b2f6d619977db17bf90d5a9a8151b618950"
          "a0b78e8013a54acfa"},
         {"content-length", "0"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "DELETE\n"
         "/2017-03-31/tags/arn%253Aaws%253Alambda%253Aus-east-1%253A1"
         "23456789012%253Afunction%253Af\n"
         "tagKeys=%C3%BC&tagKeys=a&tagKeys=a%20b&tagKeys=a%2Fb&tagKey"
         "s=b&tagKeys=~-._%2A\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "list_tags", .method = "GET",
     .path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789"
            "012%3Afunction%3Af",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=e5bd042a7e69d2e1674ea6d5287aea1fcd7dccb610df637"
          "a7573495f34dd1679"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2017-03-31/tags/arn%253Aaws%253Alambda%253Aus-east-1%253A1"
         "23456789012%253Afunction%253Af\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "get_policy", .method = "GET",
     .path = "/2015-03-31/functions/f/policy",
     .query = "Qualifier=live",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=79b785b73599ed595e1a39ae115a2690b295ee105af053b"
          "3411b5a3663b3bd50"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2015-03-31/functions/f/policy\n"
         "Qualifier=live\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "add_permission", .method = "POST",
     .path = "/2015-03-31/functions/f/policy",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=4fc4615d1ef0279518b4f6c9c21689cf48"
          "70dc8bd68531e43ec74152531fcb3a"},
         {"content-length", "65"},
     },
     .body = "{\"StatementId\": \"s\", \"Action\": \"lambda:Invoke\", \"P"
            "rincipal\": \"*\"}",
     .body_len = 65, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2015-03-31/functions/f/policy\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "6f292ecdc90c908f3683cd09e4038a714093895ebc65226442d9c240de3"
         "5f514"},
    {.name = "put_function_concurrency", .method = "PUT",
     .path = "/2017-10-31/functions/f/concurrency",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=f1dfc4fd33586e8e9571764d43344068e5"
          "f94b438000827ea14fafeb19a8877e"},
         {"content-length", "35"},
     },
     .body = "{\"ReservedConcurrentExecutions\": 5}",
     .body_len = 35, .is_admitted = true,
     .canonical =
         "PUT\n"
         "/2017-10-31/functions/f/concurrency\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "eb4c51db9ffb02d2850dd4fc7e3ad8b015d95c7c5f79a0fa38599dbe6d6"
         "a4ed2"},
    {.name = "delete_alias", .method = "DELETE",
     .path = "/2015-03-31/functions/f/aliases/live",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=0700b3fb66e4194f5c6d954c99829d71b33f987bae93c17"
          "b048d34b9170b892a"},
         {"content-length", "0"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "DELETE\n"
         "/2015-03-31/functions/f/aliases/live\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "publish_layer_version", .method = "POST",
     .path = "/2018-10-31/layers/l/versions",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=0edc9c0e94a40eededcfc4357649dc0597"
          "a39728cad79e1a3f4c3213bc2430d1"},
         {"content-length", "32"},
     },
     .body = "{\"Content\": {\"ZipFile\": \"eg==\"}}",
     .body_len = 32, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2018-10-31/layers/l/versions\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "eaead1f2371b629276a39d0d988ecd7370402d40bda35983b39c2e500cf"
         "8fa39"},
    {.name = "list_event_source_mappings", .method = "GET",
     .path = "/2015-03-31/event-source-mappings",
     .query = "EventSourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A123456789012%3"
            "Aq",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=d6e609e5e92437525585695b769c49cf905d28c3cde791c"
          "65c1bbb45f0d646e6"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2015-03-31/event-source-mappings\n"
         "EventSourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A123456789012%3"
         "Aq\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "get_durable_execution", .method = "GET",
     .path = "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aus-east"
            "-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-exec"
            "ution%2Forder-7%2F0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=807e25fed1157405abc646b020429d84cbc38ffc0cd0b20"
          "5da6d02b27ad5aab3"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2025-12-01/durable-executions/arn%253Aaws%253Alambda%253Au"
         "s-east-1%253A123456789012%253Afunction%253Af%253A%2524LATES"
         "T%252Fdurable-execution%252Forder-7%252F0190a5b2-7c3d-7e1f-"
         "8a2b-3c4d5e6f7081\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "get_durable_execution_history", .method = "GET",
     .path = "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aus-east"
            "-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-exec"
            "ution%2Forder-7%2F0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081/hist"
            "ory",
     .query = "MaxItems=9&IncludeExecutionData=true&ReverseOrder=true",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=d2ee93754ecc4caa4c8cefe6ace3a9c783d5c88e43c089d"
          "b71a29e6ab62a765f"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2025-12-01/durable-executions/arn%253Aaws%253Alambda%253Au"
         "s-east-1%253A123456789012%253Afunction%253Af%253A%2524LATES"
         "T%252Fdurable-execution%252Forder-7%252F0190a5b2-7c3d-7e1f-"
         "8a2b-3c4d5e6f7081/history\n"
         "IncludeExecutionData=true&MaxItems=9&ReverseOrder=true\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "list_durable_executions_by_function", .method = "GET",
     .path = "/2025-12-01/functions/f/durable-executions",
     .query = "Statuses=SUCCEEDED&Statuses=FAILED&Statuses=RUNNING&Started"
            "After=2026-01-02T03%3A04%3A05.678000Z",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=0ee3093a8a0e865bffbb761c00067896d4bc5f0ac96b3e6"
          "dbc66b6b26896fda6"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2025-12-01/functions/f/durable-executions\n"
         "StartedAfter=2026-01-02T03%3A04%3A05.678000Z&Statuses=FAILE"
         "D&Statuses=RUNNING&Statuses=SUCCEEDED\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "stop_durable_execution", .method = "POST",
     .path = "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aus-east"
            "-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-exec"
            "ution%2Forder-7%2F0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081/stop",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=1bed6faba9f5fe95e6324c2dd54f622c60"
          "b9a2c9ba4f911eb1b04b32a0d670c6"},
         {"content-length", "22"},
     },
     .body = "{\"ErrorMessage\": \"no\"}",
     .body_len = 22, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2025-12-01/durable-executions/arn%253Aaws%253Alambda%253Au"
         "s-east-1%253A123456789012%253Afunction%253Af%253A%2524LATES"
         "T%252Fdurable-execution%252Forder-7%252F0190a5b2-7c3d-7e1f-"
         "8a2b-3c4d5e6f7081/stop\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "ab4a652502b6c03b1b6e9444756f41c2d86ef51305e63bc3f3d1448ff0b"
         "a40f9"},
    {.name = "send_durable_execution_callback_success", .method = "POST",
     .path = "/2025-12-01/durable-execution-callbacks/Q%2Ba%2Fb%2F%2Fc%3D"
            "%3D/succeed",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=c19672935f742cdd97b39303dd869bbc5768eeb460f2596"
          "6f400447143336519"},
         {"content-length", "4"},
     },
     .body = "done",
     .body_len = 4, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2025-12-01/durable-execution-callbacks/Q%252Ba%252Fb%252F%"
         "252Fc%253D%253D/succeed\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "a4c3ed04a95a3da14a9d235c83d868bed7c0f45cf7f3faa751ee8f50598"
         "d2211"},
    {.name = "checkpoint_durable_execution", .method = "POST",
     .path = "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aus-east"
            "-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-exec"
            "ution%2Forder-7%2F0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081/chec"
            "kpoint",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "application/json"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=067cd45da79f8a6eab9f7848a1afca553a"
          "bb6f063031eb83074f2e391feeb311"},
         {"content-length", "62"},
     },
     .body = "{\"CheckpointToken\": \"dG9r\", \"ClientToken\": \"c\", \"U"
            "pdates\": []}",
     .body_len = 62, .is_admitted = true,
     .canonical =
         "POST\n"
         "/2025-12-01/durable-executions/arn%253Aaws%253Alambda%253Au"
         "s-east-1%253A123456789012%253Afunction%253Af%253A%2524LATES"
         "T%252Fdurable-execution%252Forder-7%252F0190a5b2-7c3d-7e1f-"
         "8a2b-3c4d5e6f7081/checkpoint\n"
         "\n"
         "content-type:application/json\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "73ae8089d795574836fdf7357e7078ff3db8abac22aa8fd053377593cde"
         "0f88f"},
    {.name = "GET /", .method = "GET",
     .path = "/",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=cbbe553fda01e31f89168576ae17d5a363b5918870ed3ae"
          "5f24b0f184fab4c4c"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "GET /a-b_c.d~e/", .method = "GET",
     .path = "/a-b_c.d~e/",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=f0b739175edd63ba887a289ca1b10dd3259879a40c036d4"
          "e20c3a00873d0ed84"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/a-b_c.d~e/\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "GET /p\077b=2&a=1&b=1&a=&c", .method = "GET",
     .path = "/p",
     .query = "b=2&a=1&b=1&a=&c",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=3530e5cd4b05035943590fa3b217417bc59a46b58ddc67c"
          "7399835ad258f1d53"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/p\n"
         "a=&a=1&b=1&b=2&c=\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "GET /p\077a-b=1&a=2&a%20=3&a.=4&A=5&%C3%A9=6", .method = "GET",
     .path = "/p",
     .query = "a-b=1&a=2&a%20=3&a.=4&A=5&%C3%A9=6",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=514184889ffc2fbde263c1356fd5a85b729c4ccda921e82"
          "203079a90b92a0d71"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/p\n"
         "%C3%A9=6&A=5&a=2&a%20=3&a-b=1&a.=4\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "GET /p\077~=%2A&q=%E4%B8%96%20%F0%9F%8C%8D&z=%25", .method = "GET",
     .path = "/p",
     .query = "~=%2A&q=%E4%B8%96%20%F0%9F%8C%8D&z=%25",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=8fb35e978a567e7ff9d44c146ef3a4eecd380e8a8dd9e04"
          "9e8d380f05cb4a92c"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/p\n"
         "q=%E4%B8%96%20%F0%9F%8C%8D&z=%25&~=%2A\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "GET /p\077a=%2B&b=%3D%26", .method = "GET",
     .path = "/p",
     .query = "a=%2B&b=%3D%26",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=0018697c8788b4a5ef4806716df5f58c5fb5c4bb440544c"
          "36a19dd70c35ed676"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/p\n"
         "a=%2B&b=%3D%26\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "PUT /p", .method = "PUT",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"content-type", "text/plain; charset=utf-8"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=content-type;ho"
          "st;x-amz-date, Signature=5e41fa2c71a6f456bb8cd6ac451509d1cb"
          "94ab4420bf1a577fb4bcec875e6d0a"},
     },
     .body = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     .body_len = 1000, .is_admitted = true,
     .canonical =
         "PUT\n"
         "/p\n"
         "\n"
         "content-type:text/plain; charset=utf-8\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "content-type;host;x-amz-date\n"
         "44f8354494a5ba03ba1792a8d3e9c534c47a9181980fde7a3f44b06ef2a"
         "e7c7f"},
    {.name = "POST /p", .method = "POST",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"my-header", "  a   b\011 c  "},
         {"x-amz-meta", "a b"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;my-header;"
          "x-amz-date;x-amz-meta, Signature=336c1fc2c16e6a088e1f142e47"
          "b8021bbbf84e6d585d4fed29790d7d73d8b9c1"},
     },
     .body = "{}",
     .body_len = 2, .is_admitted = true,
     .canonical =
         "POST\n"
         "/p\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "my-header:a b c\n"
         "x-amz-date:20261123T161536Z\n"
         "x-amz-meta:a b\n"
         "\n"
         "host;my-header;x-amz-date;x-amz-meta\n"
         "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61ca"
         "aff8a"},
    {.name = "POST /p", .method = "POST",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-meta", " a   b "},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ";x-amz-meta, Signature=6d3c96374e8c15465a7b976bfbab8d7b82da"
          "e1664db98e443b67ba8df31f1350"},
     },
     .body = "{}",
     .body_len = 2, .is_admitted = false,
     .canonical =
         "POST\n"
         "/p\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "x-amz-meta:a b\n"
         "\n"
         "host;x-amz-date;x-amz-meta\n"
         "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61ca"
         "aff8a"},
    {.name = "POST /p", .method = "POST",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-meta", "a   b"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ";x-amz-meta, Signature=6d3c96374e8c15465a7b976bfbab8d7b82da"
          "e1664db98e443b67ba8df31f1350"},
     },
     .body = "{}",
     .body_len = 2, .is_admitted = false,
     .canonical =
         "POST\n"
         "/p\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "x-amz-meta:a b\n"
         "\n"
         "host;x-amz-date;x-amz-meta\n"
         "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61ca"
         "aff8a"},
    {.name = "POST /p", .method = "POST",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"my-header", "one"},
         {"my-header", "two"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;my-header;"
          "x-amz-date, Signature=422a850e1cabf734935af803aee6f9fff761f"
          "4c160e0c2f278926e95602edbf1"},
     },
     .body = "{}",
     .body_len = 2, .is_admitted = false,
     .canonical =
         "POST\n"
         "/p\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "my-header:one,two\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;my-header;x-amz-date\n"
         "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61ca"
         "aff8a"},
    {.name = "POST /p", .method = "POST",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"zeta", ""},
         {"alpha", "\""},
         {"my-1", "a,b"},
         {"my", "b;c"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=alpha;host;my;m"
          "y-1;x-amz-date;zeta, Signature=44e905e3659bc9c60147a35a6fea"
          "6fe84ab467a340fcc926d9adff961e887a46"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "POST\n"
         "/p\n"
         "\n"
         "alpha:\"\n"
         "host:127.0.0.1:9100\n"
         "my:b;c\n"
         "my-1:a,b\n"
         "x-amz-date:20261123T161536Z\n"
         "zeta:\n"
         "\n"
         "alpha;host;my;my-1;x-amz-date;zeta\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "GET /p", .method = "GET",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"x-amz-security-token", "session/token+with=="},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ";x-amz-security-token, Signature=2319e38eb662dfa8fa048e6af8"
          "cfcf0155032581fe34800efbd302cb12354996"},
     },
     .body = "",
     .body_len = 0, .is_admitted = false,
     .canonical =
         "GET\n"
         "/p\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "x-amz-security-token:session/token+with==\n"
         "\n"
         "host;x-amz-date;x-amz-security-token\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "DELETE /2015-03-31/functions/a%3Ab%2Fc%24", .method = "DELETE",
     .path = "/2015-03-31/functions/a%3Ab%2Fc%24",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=12301ef7d0fc95f254739e6b74b94f10f2a945fabbf8112"
          "e0613ab4d61576402"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "DELETE\n"
         "/2015-03-31/functions/a%253Ab%252Fc%2524\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "GET /%E4%B8%96%E7%95%8C/%20", .method = "GET",
     .path = "/%E4%B8%96%E7%95%8C/%20",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date"
          ", Signature=8806bd200be0fb70d363db82d20dd6ed175412dbfa59959"
          "421464f5e2b656fd7"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/%25E4%25B8%2596%25E7%2595%258C/%2520\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-date\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "POST /p", .method = "POST",
     .path = "/p",
     .query = "",
     .headers = {
         {"host", "127.0.0.1:9100"},
         {"x-amz-content-sha256", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61ca"
          "aff8a"},
         {"x-amz-date", "20261123T161536Z"},
         {"authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/u"
          "s-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-cont"
          "ent-sha256;x-amz-date, Signature=bc8944d95f6a3d1ed9b02a140a"
          "9ddf5812f1c7c9529b0b971be70288149bb934"},
     },
     .body = "{}",
     .body_len = 2, .is_admitted = true,
     .canonical =
         "POST\n"
         "/p\n"
         "\n"
         "host:127.0.0.1:9100\n"
         "x-amz-content-sha256:44136fa355b3678a1146ad16f7e8649e94fb4f"
         "c21fe77e8310c060f61caaff8a\n"
         "x-amz-date:20261123T161536Z\n"
         "\n"
         "host;x-amz-content-sha256;x-amz-date\n"
         "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61ca"
         "aff8a"},
    {.name = "presigned list_functions", .method = "GET",
     .path = "/2015-03-31/functions",
     .query = "MaxItems=3&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credentia"
            "l=AKIAIOSFODNN7EXAMPLE%2F20261123%2Fus-east-1%2Flambda%2Faw"
            "s4_request&X-Amz-Date=20261123T161536Z&X-Amz-Expires=3600&X"
            "-Amz-SignedHeaders=host&X-Amz-Signature=7a494607e5e3ac572f1"
            "b7b3a1201a3992a7c6d5468fa8272f6cf4a5f2db1e64c",
     .headers = {
         {"host", "127.0.0.1:9100"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2015-03-31/functions\n"
         "MaxItems=3&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credentia"
         "l=AKIAIOSFODNN7EXAMPLE%2F20261123%2Fus-east-1%2Flambda%2Faw"
         "s4_request&X-Amz-Date=20261123T161536Z&X-Amz-Expires=3600&X"
         "-Amz-SignedHeaders=host\n"
         "host:127.0.0.1:9100\n"
         "\n"
         "host\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "presigned get_durable_execution", .method = "GET",
     .path = "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aus-east"
            "-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-exec"
            "ution%2Forder-7%2F0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081",
     .query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFO"
            "DNN7EXAMPLE%2F20261123%2Fus-east-1%2Flambda%2Faws4_request&"
            "X-Amz-Date=20261123T161536Z&X-Amz-Expires=3600&X-Amz-Signed"
            "Headers=host&X-Amz-Signature=42957fccfa595ad9736011db3f6463"
            "422f923a3dff136665113405c4fd3aecf9",
     .headers = {
         {"host", "127.0.0.1:9100"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2025-12-01/durable-executions/arn%253Aaws%253Alambda%253Au"
         "s-east-1%253A123456789012%253Afunction%253Af%253A%2524LATES"
         "T%252Fdurable-execution%252Forder-7%252F0190a5b2-7c3d-7e1f-"
         "8a2b-3c4d5e6f7081\n"
         "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFO"
         "DNN7EXAMPLE%2F20261123%2Fus-east-1%2Flambda%2Faws4_request&"
         "X-Amz-Date=20261123T161536Z&X-Amz-Expires=3600&X-Amz-Signed"
         "Headers=host\n"
         "host:127.0.0.1:9100\n"
         "\n"
         "host\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
    {.name = "presigned list_tags", .method = "GET",
     .path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789"
            "012%3Afunction%3Af",
     .query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFO"
            "DNN7EXAMPLE%2F20261123%2Fus-east-1%2Flambda%2Faws4_request&"
            "X-Amz-Date=20261123T161536Z&X-Amz-Expires=3600&X-Amz-Signed"
            "Headers=host&X-Amz-Signature=c928462545e8f31345ae4af46ed66d"
            "45a27430279a013b2d8ee25c89967a59bb",
     .headers = {
         {"host", "127.0.0.1:9100"},
     },
     .body = "",
     .body_len = 0, .is_admitted = true,
     .canonical =
         "GET\n"
         "/2017-03-31/tags/arn%253Aaws%253Alambda%253Aus-east-1%253A1"
         "23456789012%253Afunction%253Af\n"
         "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFO"
         "DNN7EXAMPLE%2F20261123%2Fus-east-1%2Flambda%2Faws4_request&"
         "X-Amz-Date=20261123T161536Z&X-Amz-Expires=3600&X-Amz-Signed"
         "Headers=host\n"
         "host:127.0.0.1:9100\n"
         "\n"
         "host\n"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
         "2b855"},
};
/* clang-format on */

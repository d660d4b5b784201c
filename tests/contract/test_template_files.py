"""The bucket that member data pass through: what it must not be, and how long it remembers."""

from tests.contract.template_file import FILES, resources


def test_a_bucket_is_private_encrypted_and_forgets() -> None:
    [(name, bucket)] = resources("AWS::S3::Bucket").items()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in {"AES256", "aws:kms"}
    rules = bucket["LifecycleConfiguration"]["Rules"]
    folders = {f"${{{name}.Arn}}/{rule['Prefix']}*" for rule in rules if rule.get("ExpirationInDays", 99) <= 7}
    assert folders == FILES
    assert any("AbortIncompleteMultipartUpload" in rule and "Prefix" not in rule for rule in rules)
    [cors] = bucket["CorsConfiguration"]["CorsRules"]
    assert cors["AllowedOrigins"] == resources("AWS::Serverless::HttpApi")["Api"]["CorsConfiguration"]["AllowOrigins"]
    [policy] = resources("AWS::S3::BucketPolicy").values()
    [denied] = policy["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})

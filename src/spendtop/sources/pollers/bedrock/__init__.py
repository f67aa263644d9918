"""What AWS tells of Amazon Bedrock."""

# Sets Hearth up with its development tools and runs every test. UNTESTED on Windows so far.

. (Join-Path $PSScriptRoot 'setup.ps1')
Install-Hearth '.[dev]'
Set-Location $Root
$env:QT_QPA_PLATFORM = 'offscreen'
& $Python -m pytest @args
exit $LASTEXITCODE

# Sets Hearth up in .venv and opens the studio. UNTESTED on Windows so far; see setup.ps1.

. (Join-Path $PSScriptRoot 'setup.ps1')
Install-Hearth '.'
& $Python -m studio @args
exit $LASTEXITCODE
